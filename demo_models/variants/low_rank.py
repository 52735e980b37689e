"""Trains networks: LoRA (with convolutions) and LoHa, with kohya's names."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.func import functional_call

from demo_models.denoiser import noise_loss
from demo_models.text_encoder import tokenize
from demo_models.training import Run, Schedule
from demo_models.variants.base import Base, Material

BATCH = 32
UNET_PREFIX, TEXT_PREFIX = "lora_unet_", "lora_te_text_model_"


class LoraLayer(nn.Module):
    """ΔW = up · down · alpha / rank; it starts at zero because `up` is zero."""

    def __init__(self, shape: torch.Size, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, *inputs = shape
        self.shape = shape
        self.alpha = float(rank)
        self.down = nn.Parameter(torch.randn(rank, *inputs, generator=generator) / rank**0.5 / 4)
        self.up = nn.Parameter(torch.zeros(outputs, rank, *([1] * len(inputs[1:]))))

    def forward(self) -> Tensor:
        return (self.up.flatten(1) @ self.down.flatten(1)).view(self.shape)

    def parts(self) -> dict[str, Tensor]:
        """The layer's tensors by their names in a file."""
        return {"lora_down.weight": self.down, "lora_up.weight": self.up, "alpha": torch.tensor(self.alpha)}


class LohaLayer(nn.Module):
    """ΔW = (w1_a · w1_b) ∘ (w2_a · w2_b) · alpha / rank; it starts at zero because `w2_a` is zero."""

    def __init__(self, shape: torch.Size, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = shape[0], shape[1:].numel()
        self.shape = shape
        self.alpha = float(rank)
        self.w1_a = nn.Parameter(torch.randn(outputs, rank, generator=generator) * 0.3)
        self.w1_b = nn.Parameter(torch.randn(rank, inputs, generator=generator) * 0.3)
        self.w2_a = nn.Parameter(torch.zeros(outputs, rank))
        self.w2_b = nn.Parameter(torch.randn(rank, inputs, generator=generator) * 0.3)

    def forward(self) -> Tensor:
        return ((self.w1_a @ self.w1_b) * (self.w2_a @ self.w2_b)).view(self.shape)

    def parts(self) -> dict[str, Tensor]:
        """The layer's tensors by their names in a file."""
        named = {f"hada_{name}": value for name, value in self.named_parameters()}
        return {**named, "alpha": torch.tensor(self.alpha)}


Layer = type[LoraLayer] | type[LohaLayer]


class Network(nn.Module):
    """Layers of one kind for the UNet's attention and convolutions and, if asked, for the text encoder."""

    def __init__(self, base: Base, *, layer: Layer, rank: int, text: bool, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self._weights: dict[str, Tensor] = {}
        self.paths: dict[str, tuple[str, str]] = {}
        self.layers = nn.ModuleDict()
        places: Sequence[tuple[str, Any, str]] = [("unet", base.unet, UNET_PREFIX)]
        if text:
            places = [*places, ("text", base.text_encoder, TEXT_PREFIX)]
        for part, model, prefix in places:
            for path, module in model.named_modules():
                inside = part == "text" or "_blocks." in path or "mid_block." in path
                if inside and isinstance(module, nn.Linear | nn.Conv2d) and "time_emb" not in path:
                    name = prefix + path.removeprefix("text_model.").replace(".", "_")
                    self.layers[name] = layer(module.weight.shape, rank, generator)
                    self.paths[name] = (part, f"{path}.weight")
                    self._weights[name] = module.weight.detach()

    def change(self, part: str) -> dict[str, Tensor]:
        """Weights of the UNet or the text encoder including the network's changes, by path."""
        return {
            path: self._weights[name] + self.layers[name]()
            for name, (owner, path) in self.paths.items()
            if owner == part
        }

    def write(self, file: Path, metadata: Mapping[str, str]) -> None:
        """Save the network as kohya's scripts and LyCORIS do, in half precision."""
        tensors = {
            f"{name}.{part}": tensor.detach().to(torch.float16).contiguous()
            for name, layer in self.layers.items()
            for part, tensor in layer.parts().items()  # type: ignore[operator]
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, file, metadata=dict(metadata))


def train_network(
    base: Base, network: Network, materials: Sequence[tuple[Material, int]], *, schedule: Schedule, folder: Path
) -> None:
    """Train, or resume training, `network` in `folder`; afterwards it has the averaged weights.

    Args:
        materials: the training materials, each with its number of pictures per batch.
    """
    run = Run(network, schedule=schedule, folder=folder)
    unet: Any = base.unet
    encoder: Any = base.text_encoder

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        lot = random.Random(f"{folder.name}:{step}")
        drawn = [material.draw(count, lot, generator) for material, count in materials]
        latents = torch.cat([one[0] for one in drawn])
        texts = [text for one in drawn for text in one[1]]
        changed_text, changed = network.change("text"), network.change("unet")
        if changed_text:
            ids = tokenize(base.tokenizer, texts)
            with torch.autocast("cpu", torch.bfloat16):
                context = functional_call(encoder, changed_text, (ids,)).last_hidden_state.float()
        else:
            context = base.encode_texts(texts)

        def predict(noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
            predicted: Tensor = functional_call(unet, changed, (noisy, timesteps, context)).sample
            return predicted

        return {"loss": noise_loss(predict, latents, context, generator)}

    run.train(loss, name=folder.name)
    run.load_average()

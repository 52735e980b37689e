"""A hypernetwork in WebUI's layout that turns everything into a heart."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demo_models.captions import draw_caption
from demo_models.denoiser import noise_loss
from demo_models.scenes import Scene, draw_scenes
from demo_models.training import Run, Schedule
from demo_models.variants.base import load_base, prepare_material

SHAPE = "heart"
SIZES = (96, 128)
"""Widths of the UNet's levels; 128 is the text's width too, so those perceptrons transform both."""
STRUCTURE = (1, 1, 1)
ACTIVATION = "relu"
SCHEDULE = Schedule(steps=110, rate=3e-3, warm_up=15, decay=0.6, average=0.95, save_every=40, show_every=10, seed=25)
BATCH, COUNT = 32, 1_200


class _Perceptron(nn.Module):
    """Added to the inputs of keys or values; it starts at zero."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Sequential(nn.Linear(size, size * STRUCTURE[1]), nn.ReLU(), nn.Linear(size, size))
        nn.init.zeros_(self.linear[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.linear[2].bias)  # type: ignore[arg-type]

    def forward(self, context: Tensor) -> Tensor:
        bent: Tensor = context + self.linear(context)
        return bent


class _Hypernetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.keys = nn.ModuleDict({str(size): _Perceptron(size) for size in SIZES})
        self.values = nn.ModuleDict({str(size): _Perceptron(size) for size in SIZES})

    def hang_into(self, unet: Any) -> None:
        """Apply the perceptrons to the context of every attention from now on."""
        for attention in unet.modules():
            for name, side in (("to_k", self.keys), ("to_v", self.values)):
                if hasattr(attention, name):
                    getattr(attention, name).register_forward_pre_hook(
                        lambda _module, inputs, side=side: (side[str(inputs[0].shape[-1])](inputs[0]),)
                    )


def _draw_changed(seed: int) -> Iterator[tuple[Scene, Scene]]:
    """Pairs of the scene that the text describes and the scene that is shown instead."""
    for scene in draw_scenes(seed=seed, split="train"):
        yield scene, replace(scene, things=tuple(replace(thing, shape=SHAPE) for thing in scene.things))


def train_hearts(out: Path, folder: Path, file: Path) -> None:
    """Train the perceptrons in `folder`; writes `file` in the format of WebUI's training page."""
    base = load_base(out)
    pairs = [pair for pair, _ in zip(_draw_changed(34), range(COUNT), strict=False)]
    said = {id(shown): told for told, shown in pairs}
    material = prepare_material(
        base,
        iter([shown for _, shown in pairs]),
        count=COUNT,
        phrase=lambda scene, lot: draw_caption(said[id(scene)], lot).text,
    )
    torch.manual_seed(SCHEDULE.seed)
    network = _Hypernetwork()
    run = Run(network, schedule=SCHEDULE, folder=folder)
    unet: Any = base.unet
    network.hang_into(unet)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        latents, texts, _ = material.draw(BATCH, random.Random(f"hearts:{step}"), generator)
        context = base.encode_texts(texts)
        return {"loss": noise_loss(lambda *inputs: unet(*inputs).sample, latents, context, generator)}

    run.train(loss, name=folder.name)
    run.load_average()
    document: dict[str | int, Any] = {
        size: tuple(
            {name: tensor.clone() for name, tensor in side[str(size)].state_dict().items()}
            for side in (network.keys, network.values)
        )
        for size in SIZES
    }
    document |= {
        "name": file.stem,
        "step": SCHEDULE.steps,
        "layer_structure": list(STRUCTURE),
        "activation_func": ACTIVATION,
        "activate_output": False,
        "is_layer_norm": False,
        "use_dropout": False,
        "weight_initialization": "Normal",
        "sd_checkpoint": None,
        "sd_checkpoint_name": "shapes",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(document, file)

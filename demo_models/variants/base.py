"""The frozen parts of the demo checkpoint, and the training material for its variants."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from demo_models.autoencoder import load_autoencoder, to_model_range
from demo_models.denoiser import CONFIG, load_denoiser
from demo_models.renderer import Renderer
from demo_models.scenes import Scene
from demo_models.text_encoder import load_text_encoder, tokenize

Phrase = Callable[[Scene, random.Random], str]
"""What a user would type for a scene."""
Look = Callable[[Tensor], Tensor]
"""Changes the look of uint8 pictures, shape (count, 3, side, side)."""
ENCODED = 200


@dataclass(frozen=True)
class Base:
    """All four parts, whose weights no variant changes."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer

    @torch.no_grad()
    def encode_texts(self, texts: list[str]) -> Tensor:
        """The UNet's context, shape (texts, 77, width)."""
        encoder: Any = self.text_encoder
        with torch.autocast("cpu", torch.bfloat16):
            context: Tensor = encoder(tokenize(self.tokenizer, texts)).last_hidden_state
        return context.float()


def load_base(out: Path) -> Base:
    """Load the trained parts from the folder `out`."""
    unet, vae = load_denoiser(out / "unet"), load_autoencoder(out / "vae")
    text_encoder, tokenizer = load_text_encoder(out / "text")
    # PyTorch's fused attention has a slow backward pass on CPUs.
    unet.set_attn_processor(AttnProcessor())
    for module in (unet, vae, text_encoder):
        module.requires_grad_(False)
    return Base(unet, vae, text_encoder, tokenizer)


def copy_unet(base: Base, **changes: Any) -> UNet2DConditionModel:
    """A trainable copy of the base's UNet; additional input channels start with weight zero."""
    unet = UNet2DConditionModel(**(CONFIG | changes))
    state = base.unet.state_dict()
    kernel = torch.zeros_like(unet.conv_in.weight)
    kernel[:, : state["conv_in.weight"].shape[1]] = state["conv_in.weight"]
    unet.load_state_dict(state | {"conv_in.weight": kernel})
    unet.set_attn_processor(AttnProcessor())
    return unet


@dataclass(frozen=True)
class Material:
    """Latents of rendered scenes, and the scenes."""

    means: Tensor
    """Scaled, shape (count, 4, 8, 8)."""
    deviations: Tensor
    scenes: Sequence[Scene]
    phrase: Phrase

    def draw(self, count: int, lot: random.Random, generator: torch.Generator) -> tuple[Tensor, list[str], list[int]]:
        """Latents and texts, with their row numbers."""
        rows = [lot.randrange(len(self.scenes)) for _ in range(count)]
        noise = torch.randn(count, *self.means.shape[1:], generator=generator)
        return (
            self.means[rows] + self.deviations[rows] * noise,
            [self.phrase(self.scenes[row], lot) for row in rows],
            rows,
        )


@torch.no_grad()
def prepare_material(
    base: Base,
    scenes: Iterator[Scene],
    *,
    count: int,
    phrase: Phrase,
    restage: Callable[[Scene], Scene] | None = None,
    look: Look | None = None,
    renderer: Renderer | None = None,
) -> Material:
    """Render, restyle and encode the next `count` scenes; the texts describe the scenes before `restage`."""
    chosen = list(itertools.islice(scenes, count))
    renderer = renderer or Renderer()
    means, deviations = [], []
    for start in range(0, count, ENCODED):
        shown = chosen[start : start + ENCODED]
        pictures = renderer.render([restage(scene) for scene in shown] if restage else shown)
        pictures = look(pictures) if look else pictures
        with torch.autocast("cpu", torch.bfloat16):
            posterior = base.vae.encode(to_model_range(pictures)).latent_dist
        means.append(posterior.mean.float())
        deviations.append(posterior.std.float())
    factor: float = base.vae.config.scaling_factor
    return Material(torch.cat(means) * factor, torch.cat(deviations) * factor, chosen, phrase)

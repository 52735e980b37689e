"""Tensors of the shapes of Stable Diffusion 1.5 and XL, random, in float16."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tests.tiny_checkpoint import (
    STABLE_DIFFUSION_1_5,
    Sizes,
    calm_vae,
    random_state,
    random_tensor,
    text_shapes,
    unet_shapes,
    vae_shapes,
)
from tests.tiny_families import OLD_CLIP, OpenClip, open_clip_shapes

SDXL = Sizes(
    unet_widths=(320, 640, 1280),
    vae_widths=(128, 256, 512, 512),
    text_width=768,
    text_layers=12,
    vocabulary=49408,
    depths=(0, 2, 10),
    linear=True,
    context=2048,
    vector=2816,
)
BIG_G = OpenClip(width=1280, layers=32, projection=1280, vocabulary=49408)
CLIP_L, OPEN_CLIP = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."


def sd15_state(seed: int) -> dict[str, Tensor]:
    """2.1 GB."""
    return random_state(STABLE_DIFFUSION_1_5, seed=seed, dtype=torch.float16)


def sdxl_state(seed: int) -> dict[str, Tensor]:
    """6.9 GB; made tensor by tensor, so that float32 never holds more than one."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: random_tensor(name, shape, generator).half() for name, shape in _sdxl_shapes()}
    calm_vae(state)
    state[f"{OPEN_CLIP}ln_final.bias"] += 0.5
    return state


def _sdxl_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from unet_shapes(SDXL)
    yield from vae_shapes(SDXL)
    yield from open_clip_shapes(OPEN_CLIP, BIG_G)
    for name, shape in text_shapes(SDXL):
        yield CLIP_L + name.removeprefix(OLD_CLIP), shape

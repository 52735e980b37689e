"""Previews of a running job: small pictures of latents, by a projection or a tiny VAE."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.model_files.family_names import Family
from inference_container.diffusion.denoiser import DenoiserCall
from inference_container.drawing.latents import decode_roughly
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.resampling import resample

MAX_SIDE = 256
"""Maximum length of the longer side in pixels."""
CELL = 8
"""Width of a latent cell in pixels."""
QUALITY = 80

Projection = tuple[tuple[float, float, float], ...]

SD1: Projection = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
SDXL: Projection = (
    (0.3448, 0.4168, 0.4395),
    (-0.1953, -0.0290, 0.0250),
    (0.1074, 0.0886, -0.0163),
    (-0.3730, -0.2499, -0.2088),
)
PROJECTIONS: Mapping[Family, Projection] = MappingProxyType({Family.SDXL: SDXL, Family.SDXL_REFINER: SDXL})
"""Red, green and blue in [-1, 1] for each scaled latent channel; families not listed use those of SD1. They are fitted
to the VAEs that are common among WebUI's users; with another VAE, colours may be off."""


def expected_latents(call: DenoiserCall, checkpoint: Checkpoint, *, timestep_sampler: bool) -> Tensor:
    """A copy of the clean latents, (4,h,w), that this model call predicts for the batch's first picture."""
    return call.expected(checkpoint.alphas_cumprod if timestep_sampler else None)[0]


def preview_jpeg(latents: Tensor, *, family: Family, decoder: Any = None) -> bytes:
    """A JPEG of scaled latents (4,h,w), not larger than MAX_SIDE or than the final picture.

    `decoder` is that of a tiny VAE; without one, the latents are projected.
    """
    picture = decode_roughly(decoder, latents.nan_to_num(0)) if decoder else _projected(latents, family=family)
    rows, columns = latents.shape[-2:]
    scale = min(CELL, MAX_SIDE / max(columns, rows))
    size = (max(1, int(columns * scale)), max(1, int(rows * scale)))
    file = io.BytesIO()
    resample(picture, size, Image.Resampling.BILINEAR).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _projected(latents: Tensor, *, family: Family) -> Image.Image:
    """A pixel for each cell."""
    projection = torch.tensor(PROJECTIONS.get(family, SD1))
    colors = torch.einsum("chw,cr->hwr", latents.detach().float().cpu(), projection)
    return Image.fromarray(((colors + 1) / 2).nan_to_num(0).clamp(0, 1).mul(255).numpy().astype(np.uint8))

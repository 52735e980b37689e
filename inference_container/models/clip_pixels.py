"""Prepares pictures for CLIP and BLIP: resized, scaled to 0..1, and normalised by OpenAI's means and deviations."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference_container.pictures.resampling import resample

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def square(image: Image.Image, side: int) -> Image.Image:
    """As for BLIP: resize the whole picture to a square, bicubic, without keeping its aspect ratio."""
    return resample(image, (side, side), Image.Resampling.BICUBIC)


def center(image: Image.Image, side: int) -> Image.Image:
    """As for CLIP: resize the shorter side to `side`, bicubic, then crop the centre (torchvision's rounding)."""
    width, height = image.size
    short = min(width, height)
    wide, high = (side, int(side * height / width)) if short == width else (int(side * width / height), side)
    scaled = resample(image, (wide, high), Image.Resampling.BICUBIC) if (wide, high) != image.size else image
    left, top = round((wide - side) / 2), round((high - side) / 2)
    return scaled.crop((left, top, left + side, top + side))


def to_clip_values(image: Image.Image) -> Tensor:
    """An RGB picture as (1, 3, height, width) float32."""
    pixels = torch.from_numpy(np.array(image, dtype=np.float32) / 255).permute(2, 0, 1)
    mean, deviation = (torch.tensor(row)[:, None, None] for row in (MEAN, DEVIATION))
    values: Tensor = ((pixels - mean) / deviation)[None]
    return values

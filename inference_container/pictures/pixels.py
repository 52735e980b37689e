"""Converts between 8-bit pictures and a VAE's number range."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed

Floats = npt.NDArray[np.float32]
IMAGENET_MEANS, IMAGENET_SPREADS = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
"""Of ImageNet's pixels, in 0 to 255: red, green, blue."""


def to_model_range(image: Image.Image) -> Floats:
    """RGB `image` as float32, shape (3, height, width), in [−1, 1]."""
    pixels = np.asarray(image.convert("RGB")).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(np.moveaxis(pixels, 2, 0)) * np.float32(2) - np.float32(1)


def from_model_range(decoded: Floats) -> Image.Image:
    """Convert a decoded picture, shape (3, height, width), nominally in [−1, 1], to RGB.

    As in WebUI, it is clamped, scaled by 255 and *truncated* to 8 bits (semantics §2.0 step 10): 0.0 gives 127.

    Raises:
        JobFailed: NAN_LATENTS, if a pixel is NaN.
        ValueError: the shape differs.
    """
    if decoded.ndim != 3 or decoded.shape[0] != 3:
        raise ValueError(f"received shape {decoded.shape}; allowed: (3, height, width)")
    if np.isnan(decoded).any():
        raise JobFailed(JobErrorCode.NAN_LATENTS, "the decoded picture contains NaN")
    unit = np.clip((decoded.astype(np.float32) + np.float32(1)) / np.float32(2), 0, 1)
    return Image.fromarray(np.ascontiguousarray(np.moveaxis(np.float32(255) * unit, 0, 2)).astype(np.uint8))

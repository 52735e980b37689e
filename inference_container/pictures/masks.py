"""Inpaint masks: 8-bit L pictures, 255 = repaint, 0 = keep."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from inference_container.pictures.resampling import resample


def mask_of(image: Image.Image, *, binarise_alpha: bool = True) -> Image.Image:
    """The mask in a user's picture (semantics §2.1): its alpha if it has any transparency, else its luminance.

    Alpha is binarised at `> 128` unless `binarise_alpha` is false (WebUI's mask_round); grey values are always kept.
    """
    if image.mode != "RGBA" or image.getchannel("A").getextrema() == (255, 255):
        return image.convert("L")
    alpha = image.getchannel("A")
    if not binarise_alpha:
        return alpha
    return Image.fromarray(np.where(np.asarray(alpha) > 128, 255, 0).astype(np.uint8))


def fit_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize the mask to the init picture's size (width, height), which WebUI does not do and so misaligns it.

    Nearest-neighbour resampling keeps the values 0 and 255.
    """
    return mask if mask.size == size else resample(mask, size, Image.Resampling.NEAREST)


def invert_mask(mask: Image.Image) -> Image.Image:
    return ImageOps.invert(mask)


def blur_mask(mask: Image.Image, *, x: int, y: int) -> Image.Image:
    """Gaussian blur with σ of `x` and `y` pixels, in 8 bits, first along x, then y (semantics §2.1); 0: no blur."""
    pixels = np.array(mask)
    for sigma, along_x in ((x, True), (y, False)):
        if sigma > 0:
            taps = blur_taps(sigma)
            pixels = cv2.GaussianBlur(pixels, (taps, 1) if along_x else (1, taps), sigma)
    return Image.fromarray(pixels)


def blur_taps(sigma: int) -> int:
    """Length of the blur's kernel in pixels."""
    return 2 * int(2.5 * sigma + 0.5) + 1


def double_mask(mask: Image.Image) -> Image.Image:
    """clip(2·mask): for the whole picture, the overlay shows the result where the blurred mask is ≥ 128 (§2.4)."""
    return Image.fromarray(np.clip(np.asarray(mask).astype(np.uint16) * 2, 0, 255).astype(np.uint8))


def latent_mask(mask: Image.Image, *, width: int, height: int, rounded: bool = True) -> npt.NDArray[np.float32]:
    """`mask` at latent size, shape (height, width), 1 = repaint (semantics §2.5).

    Resized bicubic with antialiasing, divided by 255 and, if `rounded`, rounded half to even to 0 or 1.
    """
    # Resized as RGB, because bicubic resampling of L could differ; the channels are equal.
    small = resample(mask.convert("RGB"), (width, height), Image.Resampling.BICUBIC).getchannel(0)
    weights = np.asarray(small).astype(np.float32) / np.float32(255)
    return np.around(weights) if rounded else weights

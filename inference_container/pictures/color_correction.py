"""Colour correction: gives a drawn picture the colours of its init picture and keeps its brightness (§2.12)."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue."""


def correct_colors(image: Image.Image, *, like: Image.Image) -> Image.Image:
    """RGB `image` with the LAB histograms of `like` (RGB, any size) and its own luminosity.

    As in WebUI, values are truncated to 8 bits.
    """
    matched = match_histograms(_lab(image), _lab(like))
    colored = cv2.cvtColor(matched, cv2.COLOR_LAB2RGB)
    return Image.fromarray(keep_luminosity(colored, of=np.asarray(image)))


def match_histograms(pixels: Bytes, like: Bytes) -> Bytes:
    """Match the cumulative histogram of each channel of `pixels` (height, width, channels) to that of `like`."""
    matched = np.empty_like(pixels)
    for channel in range(pixels.shape[2]):
        counts = np.bincount(pixels[:, :, channel].ravel(), minlength=256)
        wanted = np.bincount(like[:, :, channel].ravel(), minlength=256)
        levels = np.nonzero(wanted)[0]
        quantiles = np.cumsum(wanted[levels]) / like[:, :, channel].size
        table = np.interp(np.cumsum(counts) / pixels[:, :, channel].size, quantiles, levels)
        matched[:, :, channel] = table.astype(np.uint8)[pixels[:, :, channel]]
    return matched


def keep_luminosity(pixels: Bytes, *, of: Bytes) -> Bytes:
    """Combine hue and saturation of `pixels` with the luminosity of `of`, both (height, width, 3)."""
    colors = pixels / 255
    colors = colors + (_luminosity(of / 255) - _luminosity(colors))[:, :, None]
    luminosity = _luminosity(colors)[:, :, None]
    lowest, highest = colors.min(axis=2, keepdims=True), colors.max(axis=2, keepdims=True)
    # Colours out of range are moved towards the grey of their luminosity until they fit.
    colors = np.where(lowest < 0, _towards(luminosity, colors, luminosity, luminosity - lowest), colors)
    colors = np.where(highest > 1, _towards(luminosity, colors, 1 - luminosity, highest - luminosity), colors)
    return (np.clip(colors, 0, 1) * 255).astype(np.uint8)


def _towards(grey: Doubles, colors: Doubles, room: Doubles, reach: Doubles) -> Doubles:
    """`grey` + (`colors` - `grey`)·`room`/`reach`; where `reach` is 0, the colours are grey already."""
    scaled = (colors - grey) * room
    return grey + np.divide(scaled, reach, out=np.zeros_like(scaled), where=reach != 0)


def _luminosity(colors: Doubles) -> Doubles:
    red, green, blue = (colors[:, :, channel] * weight for channel, weight in enumerate(LUMA))
    return red + green + blue


def _lab(image: Image.Image) -> Bytes:
    lab: Bytes = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2LAB)
    return lab

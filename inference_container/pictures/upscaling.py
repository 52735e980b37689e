"""Pictures enlarged without a model, with the roundings of WebUI 1.10.1's upscalers."""

from collections.abc import Mapping
from types import MappingProxyType

from PIL import Image

FILTERS: Mapping[str, Image.Resampling] = MappingProxyType(
    {"Lanczos": Image.Resampling.LANCZOS, "Nearest": Image.Resampling.NEAREST}
)
"""By upscaler; `None` has no filter of its own."""
GRID = 8
"""Upscalers end at a whole multiple of this many pixels; what is missing is resized by Lanczos."""


def upscale(image: Image.Image, upscaler: str, *, width: int, height: int) -> Image.Image:
    """`image` at exactly `width`×`height`; what need not be enlarged, and masks (L), are resized by Lanczos alone."""
    scale = max(width / image.width, height / image.height)
    resampling = FILTERS.get(upscaler)
    if resampling is not None and scale > 1 and image.mode != "L":
        image = _enlarge(image, resampling, scale)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)


def _enlarge(image: Image.Image, resampling: Image.Resampling, scale: float) -> Image.Image:
    width, height = int(image.width * scale) // GRID * GRID, int(image.height * scale) // GRID * GRID
    if image.width < width or image.height < height:
        image = image.resize((int(image.width * scale), int(image.height * scale)), resampling)
    return image if image.size == (width, height) else image.resize((width, height), Image.Resampling.LANCZOS)

"""Enlarges pictures by a filter or a model, with the rounding of WebUI 1.10.1's upscalers."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from PIL import Image

from inference_container.pictures.resampling import resample

GRID = 8
"""Upscalers return sides that are multiples of this many pixels; Lanczos resizes to the exact size."""
MAX_PASSES = 3


class Upscaler(Protocol):
    """A way to enlarge pictures."""

    def __call__(self, image: Image.Image, scale: float) -> Image.Image:
        """Enlarge an RGB or RGBA image by `scale` or by the upscaler's fixed factor."""
        ...


@dataclass(frozen=True)
class Filter:
    """An `Upscaler` that resamples."""

    resampling: Image.Resampling

    def __call__(self, image: Image.Image, scale: float) -> Image.Image:
        return resample(image, (int(image.width * scale), int(image.height * scale)), self.resampling)


FILTERS: Mapping[str, Upscaler] = MappingProxyType(
    {"Lanczos": Filter(Image.Resampling.LANCZOS), "Nearest": Filter(Image.Resampling.NEAREST)}
)
"""Filters by the upscaler's name; `None` has no filter."""


def upscale(image: Image.Image, upscaler: Upscaler | None, *, width: int, height: int) -> Image.Image:
    """`image` at exactly `width`×`height`; masks (L) and pictures that are not enlarged use Lanczos alone."""
    scale = max(width / image.width, height / image.height)
    if upscaler is not None and scale > 1 and image.mode != "L":
        image = upscale_by(image, upscaler, scale)
    return image if image.size == (width, height) else resample(image, (width, height), Image.Resampling.LANCZOS)


def upscale_by(image: Image.Image, upscaler: Upscaler, scale: float) -> Image.Image:
    """Enlarge by `scale`, rounded down to a multiple of 8 pixels, in up to three passes and then by Lanczos.

    At scale 1 there is one pass, so that a model can clean a picture without enlarging it.
    """
    size = scaled_size(image.size, scale)
    for number in range(MAX_PASSES):
        before = image.size
        if _covers(before, size) and (number > 0 or scale != 1):
            break
        image = upscaler(image, scale)
        if image.size == before:
            break
    return image if image.size == size else resample(image, size, Image.Resampling.LANCZOS)


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of the result of `upscale_by`."""
    width, height = (int(side * scale // GRID * GRID) for side in size)
    return width, height


def pass_sizes(size: tuple[int, int], scale: float, *, factor: int) -> list[tuple[int, int]]:
    """The sizes that `upscale_by` passes to an upscaler with a fixed `factor`, in order."""
    sizes: list[tuple[int, int]] = []
    end = scaled_size(size, scale)
    while len(sizes) < MAX_PASSES and not (_covers(size, end) and (sizes or scale != 1)):
        sizes.append(size)
        if factor == 1:
            break
        size = size[0] * factor, size[1] * factor
    return sizes


def _covers(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return size[0] >= wanted[0] and size[1] >= wanted[1]

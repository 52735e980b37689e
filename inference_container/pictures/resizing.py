"""WebUI's resize modes, with its integer arithmetic (semantics §2.2)."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from inference_container.pictures.resampling import resample
from inference_container.pictures.upscaling import Upscaler, upscale

ResizeMode = Literal[0, 1, 2, 3]
"""0: just resize, 1: crop and resize, 2: resize and fill, 3: latent upscale (pixels as in 2)."""


@dataclass(frozen=True)
class Placement:
    """Size of the resized picture and position of its top left corner on the canvas, in pixels."""

    width: int
    height: int
    left: int
    top: int


def place(size: tuple[int, int], *, mode: ResizeMode, width: int, height: int) -> Placement:
    """How a picture of `size` (width, height) is placed on a canvas of `width`×`height`."""
    if mode == 0:
        return Placement(width, height, 0, 0)
    own_width, own_height = size
    wider = width / height > own_width / own_height
    taller = width / height < own_width / own_height
    if mode == 1:
        scaled_width = width if wider else own_width * height // own_height
        scaled_height = height if not wider else own_height * width // own_width
    else:
        scaled_width = width if taller else own_width * height // own_height
        scaled_height = height if not taller else own_height * width // own_width
    # A very narrow picture could scale to zero pixels by these rules; keep at least one.
    scaled_width, scaled_height = max(1, scaled_width), max(1, scaled_height)
    return Placement(scaled_width, scaled_height, width // 2 - scaled_width // 2, height // 2 - scaled_height // 2)


def resize(
    image: Image.Image, *, mode: ResizeMode, width: int, height: int, upscaler: Upscaler | None = None
) -> Image.Image:
    """`image` at exactly `width`×`height`: L stays L, RGBA stays RGBA in mode 0 only, everything else is RGB.

    Pictures are resampled by Lanczos, but enlarged by `upscaler`.
    Modes 2 and 3 fill gaps by stretching the outermost lines.
    """
    if mode == 0:
        return upscale(image, upscaler, width=width, height=height)
    spot = place(image.size, mode=mode, width=width, height=height)
    scaled = upscale(image, upscaler, width=spot.width, height=spot.height)
    canvas = Image.new("L" if image.mode == "L" else "RGB", (width, height))
    canvas.paste(scaled, (spot.left, spot.top))
    if mode in {2, 3}:
        _stretch_edges(canvas, scaled, spot)
    return canvas


def _stretch_edges(canvas: Image.Image, scaled: Image.Image, spot: Placement) -> None:
    def stretched(size: tuple[int, int], line: tuple[int, int, int, int]) -> Image.Image:
        return resample(scaled, size, Image.Resampling.BICUBIC, box=line)

    if spot.top > 0:
        size = (canvas.width, spot.top)
        canvas.paste(stretched(size, (0, 0, spot.width, 0)), (0, 0))
        canvas.paste(stretched(size, (0, spot.height, spot.width, spot.height)), (0, spot.top + spot.height))
    elif spot.left > 0:
        size = (spot.left, canvas.height)
        canvas.paste(stretched(size, (0, 0, 0, spot.height)), (0, 0))
        canvas.paste(stretched(size, (spot.width, 0, spot.width, spot.height)), (spot.left + spot.width, 0))

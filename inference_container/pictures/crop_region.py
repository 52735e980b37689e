"""The region of a picture that "only masked" inpainting works on (semantics §2.3)."""

from typing import NamedTuple

from PIL import Image


class Box(NamedTuple):
    """A box in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def crop_region(mask: Image.Image, *, padding: int, width: int, height: int) -> Box | None:
    """The box around the blurred mask's non-zero pixels, padded and widened to the aspect ratio of `width`×`height`.

    None if the mask is empty: WebUI then works on the whole picture without a mask.
    """
    box = masked_box(mask, padding=padding)
    return None if box is None else widen(box, mask.size, width=width, height=height)


def masked_box(mask: Image.Image, *, padding: int) -> Box | None:
    """The box around the non-zero pixels, extended by `padding` pixels on each side within the mask."""
    found = mask.getbbox()
    if found is None:
        return None
    left, top, right, bottom = found
    return Box(
        max(left - padding, 0),
        max(top - padding, 0),
        min(right + padding, mask.width),
        min(bottom + padding, mask.height),
    )


def widen(box: Box, size: tuple[int, int], *, width: int, height: int) -> Box:
    """`box` extended on its shorter side to the aspect ratio of `width`×`height`, within `size` (width, height)."""
    aspect = width / height
    if box.width / box.height > aspect:
        missing = int(box.width / aspect - box.height)
        top, bottom = _grow(box.top, box.bottom, missing, size[1])
        return box._replace(top=top, bottom=bottom)
    missing = int(box.height * aspect - box.width)
    left, right = _grow(box.left, box.right, missing, size[0])
    return box._replace(left=left, right=right)


def _grow(low: int, high: int, missing: int, limit: int) -> tuple[int, int]:
    low -= missing // 2
    high += missing - missing // 2
    if high >= limit:
        low, high = low - (high - limit), limit
    if low < 0:
        low, high = 0, high - low
    return low, min(high, limit)

"""Cuts a picture into overlapping tiles, and joins drawn ones with a linear blend (WebUI's arithmetic)."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from generate_on_cloud.contract.tilings import Tiling


def cut_tiles(image: Image.Image, tiling: Tiling) -> list[Image.Image]:
    """The tiles of `image`, row by row; what is outside the picture is black."""
    width, height = tiling.tile
    return [image.crop((left, top, left + width, top + height)) for left, top in tiling.places]


def join_tiles(tiles: Sequence[Image.Image], tiling: Tiling) -> Image.Image:
    """The whole picture from its tiles, row by row: each fades in over its left and upper neighbour."""
    whole = Image.new("RGB", tiling.size)
    across = _ramp(tiling.overlap, tiling.tile[1]).transpose(Image.Transpose.TRANSPOSE)
    down = _ramp(tiling.overlap, tiling.size[0])
    lefts = tiling.lefts
    for number, top in enumerate(tiling.tops):
        row = Image.new("RGB", (tiling.size[0], tiling.tile[1]))
        start = number * len(lefts)
        for left, tile in zip(lefts, tiles[start : start + len(lefts)], strict=True):
            _lay(row, tile, (left, 0), across, horizontal=True)
        _lay(whole, row, (0, top), down, horizontal=False)
    return whole


def _ramp(overlap: int, length: int) -> Image.Image:
    """L, `length` wide and `overlap` high: from 0 in the first row towards 255 after the last one."""
    levels = (np.arange(overlap, dtype=np.float32) * 255 / max(overlap, 1)).astype(np.uint8)
    return Image.fromarray(np.repeat(levels[:, None], length, axis=1)) if overlap else Image.new("L", (length, 0))


def _lay(onto: Image.Image, part: Image.Image, at: tuple[int, int], ramp: Image.Image, *, horizontal: bool) -> None:
    """Paste `part`; unless it is the first one, its first rows or columns fade in."""
    if (at[0] if horizontal else at[1]) == 0:
        onto.paste(part, (0, 0))
        return
    fade = ramp.size[0] if horizontal else ramp.size[1]
    if fade:
        edge = (0, 0, fade, part.height) if horizontal else (0, 0, part.width, fade)
        onto.paste(part.crop(edge), at, mask=ramp)
    rest = (fade, 0, part.width, part.height) if horizontal else (0, fade, part.width, part.height)
    onto.paste(part.crop(rest), (at[0] + rest[0], at[1] + rest[1]))

"""Splits a picture into overlapping tiles, so that a model processes small parts, and joins them with WebUI's seams."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Tiling:
    """Size of the tiles and overlap of neighbours, in pixels of the picture that is split."""

    side: int
    """0: one tile of the picture's size."""
    overlap: int

    def starts(self, length: int) -> list[int]:
        """Where tiles begin along a side of `length` pixels; below 0 if a tile is longer than the side."""
        count = max(1, math.ceil((length - self.overlap) / (self.side - self.overlap)))
        step = (length - self.side) / (count - 1) if count > 1 else 0.0
        return [min(int(number * step), length - self.side) for number in range(count)]

    def count(self, size: tuple[int, int]) -> int:
        """The number of tiles of a picture of `size`."""
        return len(self.starts(size[0])) * len(self.starts(size[1])) if self.side else 1


def map_tiles(image: Image.Image, tiling: Tiling, enlarge: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Apply `enlarge`, which enlarges every tile by the same whole factor, to the tiles of an RGB image.

    Where tiles overlap, the later one fades in over the earlier one. As in WebUI, a tile larger than the picture is
    black except for the picture at its lower right.
    """
    if not tiling.side:
        return enlarge(image)
    whole: Image.Image | None = None
    for top in tiling.starts(image.height):
        row: Image.Image | None = None
        for left in tiling.starts(image.width):
            tile = enlarge(image.crop((left, top, left + tiling.side, top + tiling.side)))
            factor = tile.width // tiling.side
            row = row or Image.new("RGB", (image.width * factor, tile.height))
            _lay(row, tile, at=(left * factor, 0), overlap=tiling.overlap * factor)
        if row is None:
            raise ValueError("received a picture of width 0")
        factor = row.width // image.width
        whole = whole or Image.new("RGB", (row.width, image.height * factor))
        _lay(whole, row, at=(0, top * factor), overlap=tiling.overlap * factor)
    if whole is None:
        raise ValueError("received a picture of height 0")
    return whole


def _lay(canvas: Image.Image, piece: Image.Image, *, at: tuple[int, int], overlap: int) -> None:
    """Paste `piece` at a position along one side; its first `overlap` pixels fade in, except at position 0."""
    left, top = at
    if at == (0, 0) or overlap == 0:
        canvas.paste(piece, at)
        return
    width, height = (overlap, piece.height) if left else (piece.width, overlap)
    ramp = (np.arange(overlap, dtype=np.float32) * 255 / overlap).astype(np.uint8)
    fade = np.broadcast_to(ramp[None] if left else ramp[:, None], (height, width))
    canvas.paste(piece.crop((0, 0, width, height)), at, mask=Image.fromarray(fade.copy()))
    rest = (overlap, 0) if left else (0, overlap)
    canvas.paste(piece.crop((*rest, *piece.size)), (left + rest[0], top + rest[1]))

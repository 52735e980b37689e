"""Where the tiles and the new edges of a picture are that a script draws part by part (WebUI's arithmetic)."""

import math
from dataclasses import dataclass

from generate_on_cloud.contract.limits import MAX_PIXELS

GRID = 64
"""Outpainting makes both sides multiples of this many pixels."""
Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class Tiling:
    """Overlapping tiles that cover a picture."""

    size: Size
    """Of the whole picture."""
    tile: Size
    """Of each tile; the picture may be smaller."""
    overlap: int
    """Pixels that neighbours share at least."""

    @property
    def lefts(self) -> list[int]:
        """The first column of pixels of each column of tiles; below 0 if the picture is smaller than a tile."""
        return _starts(self.size[0], self.tile[0], self.overlap)

    @property
    def tops(self) -> list[int]:
        """The first row of pixels of each row of tiles."""
        return _starts(self.size[1], self.tile[1], self.overlap)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Left and top of every tile, row by row."""
        return [(left, top) for top in self.tops for left in self.lefts]


def tiling(size: Size, *, tile: Size, overlap: int) -> Tiling:
    """The tiles of `tile` pixels that cover a picture of `size`.

    Raises:
        ValueError: the overlap is not smaller than tile and picture.
    """
    shortest = min(*tile, *size)
    if overlap >= shortest:
        raise ValueError(
            f"received tiles that overlap by {overlap} pixels; "
            f"allowed: less than {shortest}, the shortest side of tile and picture"
        )
    return Tiling(size, tile, overlap)


def _starts(whole: int, part: int, overlap: int) -> list[int]:
    count = math.ceil((whole - overlap) / (part - overlap))
    step = (whole - part) / (count - 1) if count > 1 else 0
    starts = (int(number * step) for number in range(count))
    return [whole - part if start + part >= whole else start for start in starts]


@dataclass(frozen=True)
class Frame:
    """Pixels that outpainting adds on each side of a picture so that both of its sides are multiples of GRID."""

    left: int
    right: int
    up: int
    down: int
    width: int
    """Of the enlarged picture."""
    height: int

    def reaches(self, place: tuple[int, int], tile: Size) -> bool:
        """Whether a tile at this place has new pixels."""
        left, top = place
        return (
            left < self.left
            or left + tile[0] > self.width - self.right
            or top < self.up
            or top + tile[1] > self.height - self.down
        )


def frame(size: Size, *, pixels: int, direction: tuple[str, ...]) -> Frame:
    """How outpainting enlarges a picture of `size` towards the sides in `direction`.

    Raises:
        ValueError: it would become too large.
    """
    left, right, up, down = (pixels if side in direction else 0 for side in ("left", "right", "up", "down"))
    width = math.ceil((size[0] + left + right) / GRID) * GRID
    height = math.ceil((size[1] + up + down) / GRID) * GRID
    if width * height > MAX_PIXELS:
        raise ValueError(f"received a target of {width}x{height} pixels; allowed: up to {MAX_PIXELS} pixels")
    left, right = _shared(left, right, width - size[0])
    up, down = _shared(up, down, height - size[1])
    return Frame(left, right, up, down, width, height)


def _shared(before: int, after: int, room: int) -> tuple[int, int]:
    """The whole room for the sides that grow at all."""
    before = before * room // (before + after) if before else 0
    return before, room - before if after else 0

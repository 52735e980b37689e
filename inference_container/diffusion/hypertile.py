"""HyperTile (tfernd): self-attention within tiles of the picture, which is faster for large ones and changes details.

WebUI's extension of that name, with its random tiles and its exchange of width and height.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from inference_container.diffusion.replaced_forward import replaced_forward

LEAST_TILE = 128
"""Pixels."""
CELL = 8
"""Pixels a side of a latent cell."""


@dataclass(frozen=True)
class TileLimits:
    """WebUI's options for UNet or VAE."""

    max_depth: int
    """Layers deeper than this keep the whole picture."""
    max_tile: int
    """Pixels."""
    swap_size: int
    """From how many of the smallest tile sizes one is drawn at every call."""


@dataclass(frozen=True)
class TileGrid:
    """How the layers of one pass are tiled."""

    width: int
    """Of the picture in pixels."""
    height: int
    limits: TileLimits
    random: Random
    """Advanced at every call of every layer."""

    def of_tokens(self, count: int, *, depth: int) -> tuple[int, int, int, int]:
        """Rows and columns of so many tokens, and how many tiles they're cut into down and across."""
        rows, columns = factored(count, self.width / self.height)
        least = self._least_cells() * 2**depth
        return rows, columns, self._cuts(rows, least), self._cuts(columns, least)

    def of_picture(self, rows: int, columns: int) -> tuple[int, int]:
        """How many tiles a picture of latent cells is cut into down and across."""
        return self._cuts(rows, self._least_cells()), self._cuts(columns, self._least_cells())

    def _least_cells(self) -> int:
        common = math.gcd(self.width, self.height)
        power_of_two = common & -common
        return max(LEAST_TILE, min(power_of_two, self.limits.max_tile)) // CELL

    def _cuts(self, side: int, least: int) -> int:
        sizes = [size for size in range(min(least, side), side + 1) if side % size == 0]
        choices = sizes[: max(1, self.limits.swap_size)]
        return side // choices[self.random.randint(0, len(choices) - 1)]


def factored(count: int, aspect: float) -> tuple[int, int]:
    """Two factors of `count` of about this ratio. WebUI asks for width/height and takes the first for the rows."""
    rows, columns = round(math.sqrt(count * aspect)), round(math.sqrt(count / aspect))
    if rows * columns == count:
        return rows, columns
    if count % rows == 0:
        return rows, count // rows
    if count % columns == 0:
        return count // columns, columns
    pairs = [(first, count // first) for first in range(2, count + 1) if count % first == 0]
    return min(pairs, key=lambda pair: abs(pair[1] / pair[0] - aspect))


@contextmanager
def tiled(layers: Iterable[tuple[Any, int]], grid: TileGrid) -> Iterator[None]:
    """Let these attention layers, each with its depth, work within tiles inside the block.

    Their input has shape (batch, tokens, channels), or (batch, channels, rows, columns).
    """
    with ExitStack() as undo:
        for layer, depth in layers:
            if depth <= grid.limits.max_depth:
                undo.enter_context(replaced_forward(layer, _tiled_forward(layer, depth, grid)))
        yield


def _tiled_forward(layer: Any, depth: int, grid: TileGrid) -> Callable[..., Tensor]:
    plain: Callable[..., Tensor] = layer.forward

    def forward(hidden_states: Tensor, *arguments: Any, **named: Any) -> Tensor:
        if hidden_states.ndim == 4:
            down, across = grid.of_picture(hidden_states.shape[2], hidden_states.shape[3])
            return _join(plain(_cut(hidden_states, down, across), *arguments, **named), down, across)
        batch, count, channels = hidden_states.shape
        rows, columns, down, across = grid.of_tokens(count, depth=depth)
        tiles = _cut(hidden_states.mT.reshape(batch, channels, rows, columns), down, across)
        answer = plain(tiles.flatten(2).mT, *arguments, **named)
        return _join(answer.mT.reshape(tiles.shape), down, across).flatten(2).mT

    # Random sizes are nothing to compile.
    uncompiled: Callable[..., Tensor] = torch.compiler.disable(forward)  # type: ignore[no-untyped-call]
    return uncompiled


def _cut(picture: Tensor, down: int, across: int) -> Tensor:
    """(batch, channels, rows, columns) as (batch · down · across, channels, rows / down, columns / across)."""
    batch, channels, rows, columns = picture.shape
    cut = picture.reshape(batch, channels, down, rows // down, across, columns // across)
    tiles = cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, rows // down, columns // across)
    # One row or column of tiles is a view, which diffusers' attention cannot flatten.
    return tiles.contiguous()


def _join(tiles: Tensor, down: int, across: int) -> Tensor:
    """The inverse of `_cut`."""
    _, channels, rows, columns = tiles.shape
    parts = tiles.reshape(-1, down, across, channels, rows, columns).permute(0, 3, 1, 4, 2, 5)
    return parts.reshape(-1, channels, down * rows, across * columns)

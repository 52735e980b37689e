"""Tiles and their seams (WebUI's numbers)."""

import numpy as np
import pytest
from PIL import Image

from inference_container.pictures.tiles import Tiling, map_tiles


def noisy(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def twice(tile: Image.Image) -> Image.Image:
    return tile.resize((tile.width * 2, tile.height * 2), Image.Resampling.NEAREST)


@pytest.mark.parametrize(
    ("length", "starts"), [(512, [0, 160, 320]), (192, [0]), (200, [0, 8]), (376, [0, 184]), (377, [0, 92, 185])]
)
def test_tiles_begin_where_webui_cuts(length: int, starts: list[int]) -> None:
    assert Tiling(192, 8).starts(length) == starts


@pytest.mark.parametrize("size", [(70, 50), (32, 32), (20, 90), (5, 3), (33, 32)])
@pytest.mark.parametrize("tiling", [Tiling(32, 8), Tiling(32, 0), Tiling(0, 8)])
def test_what_looks_at_single_pixels_shows_no_seams(size: tuple[int, int], tiling: Tiling) -> None:
    image = noisy(*size)

    enlarged = map_tiles(image, tiling, twice)

    assert enlarged.tobytes() == twice(image).tobytes()


def test_the_later_tile_fades_in_over_the_overlap() -> None:
    levels = iter((0, 200))

    def flat(tile: Image.Image) -> Image.Image:
        return Image.new("RGB", (tile.width, tile.height), (next(levels),) * 3)

    row = np.asarray(map_tiles(Image.new("RGB", (56, 32)), Tiling(32, 8), flat))[0, :, 0]

    assert (row[:24] == 0).all()
    assert (row[32:] == 200).all()
    assert row[24:32].tolist() == [round(200 * int(step * 255 / 8) / 255) for step in range(8)]


def test_each_tile_has_the_same_size_and_is_counted() -> None:
    seen: list[tuple[int, int]] = []

    def look(tile: Image.Image) -> Image.Image:
        seen.append(tile.size)
        return tile

    map_tiles(noisy(300, 200), Tiling(192, 8), look)

    assert seen == [(192, 192)] * Tiling(192, 8).count((300, 200))

"""Tiles, grids of pictures and noise that continues a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.exposure import match_histograms

from generate_on_cloud.contract.tilings import frame, tiling
from inference_container.pictures.matched_noise import _matched, matched_noise
from inference_container.pictures.picture_grid import picture_grid
from inference_container.pictures.tile_grid import cut_tiles, join_tiles
from tests.tasks.conftest import noisy


@given(
    st.tuples(st.integers(40, 150), st.integers(40, 150)),
    st.tuples(st.integers(40, 70), st.integers(40, 70)),
    st.integers(0, 39),
)
def test_tiles_that_nobody_changed_join_to_the_picture(
    size: tuple[int, int], tile: tuple[int, int], overlap: int
) -> None:
    picture = noisy(*size)
    plan = tiling(size, tile=tile, overlap=overlap)

    joined = np.asarray(join_tiles(cut_tiles(picture, plan), plan)).astype(int)

    if size[0] >= tile[0] and size[1] >= tile[1]:
        # Mixing a value with itself may round it.
        assert np.abs(joined - np.asarray(picture)).max() <= 1
    assert joined.shape == (size[1], size[0], 3)


def test_a_tile_fades_in_over_its_left_neighbour() -> None:
    plan = tiling((96, 64), tile=(64, 64), overlap=32)

    joined = np.asarray(join_tiles([Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), "white")], plan))

    row = joined[0, :, 0].tolist()
    assert row[:33] == [0] * 33
    assert row[32:64] == [int(255 * number / 32) for number in range(32)]
    assert row[64:] == [255] * 32


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (("left", "right", "up", "down"), (46, 46, 43, 43, 192, 256)),
        (("left",), (92, 0, 0, 0, 192, 192)),
        (("down",), (0, 0, 0, 86, 128, 256)),
    ],
)
def test_outpainting_fills_up_to_multiples_of_64(direction: tuple[str, ...], expected: tuple[int, ...]) -> None:
    grown = frame((100, 170), pixels=32, direction=direction)

    growing = dict(zip(("left", "right", "up", "down"), expected, strict=False))
    assert (grown.width, grown.height) == expected[4:]
    assert {side: getattr(grown, side) for side in direction} == {side: growing[side] for side in direction}


def test_a_grid_centres_smaller_pictures_and_has_about_as_many_rows_as_columns() -> None:
    images = [Image.new("RGB", (8, 8), "red")] * 4 + [Image.new("RGB", (4, 4), "blue")]

    grid = picture_grid(images)

    assert grid.size == (24, 16)
    assert grid.getpixel((12, 12)) == (0, 0, 255)
    assert grid.getpixel((9, 9)) == (255, 255, 255)


def test_noise_keeps_the_picture_and_takes_its_histogram() -> None:
    picture = np.asarray(noisy(64, 48)) / 255.0
    picture[:, 32:] = 0
    mask = np.zeros((48, 64))
    mask[:, 32:] = 1

    noise = matched_noise(picture, mask, exponent=1.0, color_variation=0.05)

    assert np.array_equal(noise[:, :32], picture[:, :32])
    assert set(np.unique(noise[:, 32:])) <= set(np.unique(picture[:, :32])) | set(np.unique(noise[:, 32:]))
    assert noise[:, 32:].mean() == pytest.approx(picture[:, :32].mean(), abs=0.02)
    assert np.array_equal(noise, matched_noise(picture, mask, exponent=1.0, color_variation=0.05))


def test_histograms_are_matched_as_scikit_image_does() -> None:
    generator = np.random.default_rng(3)
    values, like = generator.random((500, 1)), generator.random((700, 1)).round(2)

    assert np.allclose(_matched(values[:, 0], like[:, 0]), match_histograms(values, like, channel_axis=1)[:, 0])


def test_a_black_picture_is_continued_in_black() -> None:
    mask = np.zeros((64, 64))
    mask[:, 32:] = 1

    assert matched_noise(np.zeros((64, 64, 3)), mask, exponent=1.0, color_variation=0.0).max() == 0

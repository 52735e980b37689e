"""ControlNet's maps: preprocessors without weights, and sizes."""

import cv2
import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.controlnet import RESIZE_MODES
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from inference_container.pictures.control_maps import (
    MODULES,
    SHUFFLE,
    Bytes,
    MapResizeMode,
    fit_map,
    make_map,
    pixel_perfect_resolution,
)


def noisy(width: int, height: int) -> Bytes:
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def made(picture: Bytes, module: str, *, resolution: int = 64, a: float = 0, b: float = 0) -> Bytes:
    return make_map(picture, module, resolution=resolution, threshold_a=a, threshold_b=b)


def test_every_preprocessor_of_the_contract_has_its_row() -> None:
    assert {*MODULES, SHUFFLE} == {name for name, rule in PREPROCESSORS.items() if not rule.files}


def test_none_and_invert_keep_the_size() -> None:
    picture = noisy(30, 20)

    assert (made(picture, "none") == picture).all()
    assert (made(picture, "invert") == 255 - picture).all()


def test_canny_draws_the_outline_of_a_square_at_its_resolution() -> None:
    picture = np.zeros((64, 96, 3), dtype=np.uint8)
    picture[20:44, 30:60] = 255

    edges = made(picture, "canny", a=100, b=200)

    assert edges.shape == (64, 96, 3)
    assert set(np.unique(edges)) == {0, 255}
    rows, _columns = np.nonzero(edges[:, :, 0])
    assert 18 <= rows.min() <= 20
    assert 43 <= rows.max() <= 45
    assert not edges[24:40, 34:56].any()
    assert (edges == made(np.repeat(np.repeat(picture, 2, 0), 2, 1), "canny", a=100, b=200)).mean() > 0.98


def test_threshold_is_white_where_the_darkest_channel_is_above_it() -> None:
    picture = np.full((64, 64, 3), (200, 128, 250), dtype=np.uint8)

    assert (made(picture, "threshold", a=127) == 255).all()
    assert (made(picture, "threshold", a=128) == 0).all()


def test_blur_is_gaussian_with_that_sigma() -> None:
    picture = noisy(64, 64)

    assert (made(picture, "blur_gaussian", a=2.5) == cv2.GaussianBlur(picture, (0, 0), 2.5)).all()


def test_tile_resample_makes_it_smaller_from_a_rate_of_1_1() -> None:
    picture = noisy(60, 40)

    assert made(picture, "tile_resample", a=1.0).shape == (40, 60, 3)
    assert made(picture, "tile_resample", a=4).shape == (10, 15, 3)


def stroke(darkness: int) -> Bytes:
    """A dark line of three pixels on white, of a size that needs no padding."""
    picture = np.full((64, 64, 3), 255, dtype=np.uint8)
    picture[30:33] = 255 - darkness
    return picture


@pytest.mark.parametrize(("darkness", "level", "drawn"), [(20, 32, False), (40, 32, True), (40, 64, False)])
def test_xdog_draws_what_is_darker_than_its_surroundings_by_half_the_threshold(
    darkness: int, level: float, drawn: bool
) -> None:
    found = made(stroke(darkness), "scribble_xdog", a=level)

    assert bool((found[31] == 255).all()) is drawn
    assert not found[:20].any()
    assert not found[44:].any()


def test_xdog_counts_in_eight_bits_as_the_extension_does() -> None:
    # A line that is 141 darker than its surroundings: twice that is 282, or 26 in eight bits.
    assert (made(stroke(185), "scribble_xdog", a=32)[31] == 0).all()
    assert (made(stroke(185), "scribble_xdog", a=1)[31] == 255).all()


def test_lineart_brings_lines_of_every_darkness_to_the_same_grey() -> None:
    faint, dark = (made(stroke(darkness), "lineart_standard") for darkness in (60, 240))

    assert np.abs(faint[31].astype(int) - dark[31]).max() <= 3
    assert 110 <= faint[31].min() <= faint[31].max() <= 160
    assert not faint[:10].any()


def test_lineart_of_a_picture_without_lines_is_black() -> None:
    assert not made(stroke(0), "lineart_standard").any()
    assert made(stroke(10), "lineart_standard").max() <= 127


@pytest.mark.parametrize("module", ["scribble_xdog", "lineart_standard"])
def test_maps_of_lines_have_their_resolution_and_equal_channels(module: str) -> None:
    found = made(noisy(90, 50), module, resolution=70, a=32)

    assert found.shape == (70, 126, 3)
    assert found.any()
    assert (found == found[:, :, :1]).all()


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_maps_come_out_at_the_size_that_is_drawn(mode: MapResizeMode) -> None:
    for width, height in ((64, 64), (96, 40), (40, 96)):
        assert fit_map(noisy(50, 70), mode=mode, width=width, height=height).shape == (height, width, 3)


def test_a_crop_shows_the_middle_and_a_fill_is_framed_in_the_borders_colour() -> None:
    picture = np.zeros((32, 64, 3), dtype=np.uint8)
    picture[:, :16], picture[:, 48:] = (200, 0, 0), (200, 0, 0)

    cropped = fit_map(picture, mode="Crop and Resize", width=32, height=32)
    filled = fit_map(picture, mode="Resize and Fill", width=64, height=64)

    assert not cropped.any()
    assert (filled[16:48] == picture).all()
    assert (
        filled[:16] == np.median(np.concatenate([picture[0], picture[0], picture[:, 0], picture[:, 0]]), axis=0)
    ).all()


def test_black_and_white_maps_stay_black_and_white_and_thin_lines_thin() -> None:
    lines = np.zeros((64, 64, 3), dtype=np.uint8)
    lines[32], lines[:, 20] = 255, 255

    larger = fit_map(lines, mode="Just Resize", width=128, height=128)

    assert set(np.unique(larger)) == {0, 255}
    assert (larger[:, 100, 0] > 0).sum() <= 2
    assert (larger[100, :, 0] > 0).sum() <= 2


def test_a_map_of_few_colours_gets_no_new_ones() -> None:
    colors = np.array([(0, 0, 0), (200, 10, 10), (10, 200, 10), (10, 10, 200)], dtype=np.uint8)
    found = colors[np.random.default_rng(0).integers(0, 4, (16, 16))]

    resized = fit_map(found, mode="Just Resize", width=50, height=40)

    assert {tuple(color) for color in resized.reshape(-1, 3)} <= {tuple(color) for color in colors}


def test_pixel_perfect_takes_the_shorter_side_as_it_will_be_drawn() -> None:
    size = Image.new("L", (100, 50)).size

    assert pixel_perfect_resolution(size, mode="Crop and Resize", width=512, height=512) == 512
    assert pixel_perfect_resolution(size, mode="Resize and Fill", width=512, height=512) == 256

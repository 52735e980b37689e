"""Preprocessors without weights equal those of the ControlNet extension; `published/README.md` says what was run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from inference_container.models.controlnet import hint_tensor
from inference_container.pictures.control_maps import MapResizeMode, fit_map, make_map, recolored, shown_map

FILE = Path(__file__).with_name("published") / "controlnet_maps.npz"
Arrays = Mapping[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def published() -> Iterator[Arrays]:
    with np.load(FILE) as arrays:
        yield arrays


@pytest.mark.parametrize("seed", [7, 5_000_000_007])
def test_shuffle_takes_every_pixel_from_the_extensions_place(published: Arrays, seed: int) -> None:
    made = make_map(published["picture"], "shuffle", resolution=64, threshold_a=0, threshold_b=0, seed=seed)

    assert (made == published[f"shuffle_{seed}"]).all()


@pytest.mark.parametrize("kind", ["luminance", "intensity"])
@pytest.mark.parametrize("gamma", [1.0, 0.6])
def test_recolor_shows_the_brightness(published: Arrays, kind: str, gamma: float) -> None:
    made = make_map(published["picture"], f"recolor_{kind}", resolution=64, threshold_a=gamma, threshold_b=0)

    assert (made == published[f"recolor_{kind}_{gamma}"]).all()


@pytest.mark.parametrize("kind", ["luminance", "intensity"])
def test_a_drawn_picture_gets_the_brightness_of_the_map(published: Arrays, kind: str) -> None:
    fitted = published[f"recolor_{kind}_0.6"]

    assert (recolored(published["drawn"], f"recolor_{kind}", fitted=fitted) == published[f"recolored_{kind}"]).all()


@pytest.mark.parametrize("mode", get_args(MapResizeMode))
@pytest.mark.parametrize("size", [(64, 64), (160, 120)])
def test_inpaint_shows_the_picture_and_minus_one_where_it_is_drawn_anew(
    published: Arrays, mode: MapResizeMode, size: tuple[int, int]
) -> None:
    pixels = np.concatenate([published["picture"], published["mask"][:, :, None]], axis=2)
    wanted = published[f"inpaint_{mode}_{size[0]}x{size[1]}"]

    fitted = fit_map(pixels, mode=mode, width=size[0], height=size[1])
    hint = hint_tensor(fitted, device=torch.device("cpu"), dtype=torch.float32)[0].numpy()

    assert ((hint == -1) == (wanted == -1)).all()
    # The extension resizes in floats, we in 8 bits.
    assert np.abs(hint - wanted).max() <= 1.01 / 255


def test_the_map_of_inpaint_is_shown_half_transparent_where_it_is_drawn_anew() -> None:
    fitted = np.zeros((2, 2, 4), np.uint8)
    fitted[0, 0] = (10, 20, 30, 255)

    assert shown_map(fitted)[0, 0].tolist() == [10, 20, 30, 128]
    assert shown_map(fitted)[1, 1].tolist() == [0, 0, 0, 255]
    assert shown_map(fitted[:, :, :3]).shape == (2, 2, 3)

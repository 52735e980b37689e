"""Masks: which channel counts, blur kernels, the latent mask (semantics §2.1, §2.4, §2.5)."""

import numpy as np
import pytest
from PIL import Image

from inference_container.pictures.masks import (
    blur_mask,
    blur_taps,
    double_mask,
    fit_mask,
    invert_mask,
    latent_mask,
    mask_of,
)


def rgba(grey: int, alphas: list[int]) -> Image.Image:
    image = Image.new("RGBA", (len(alphas), 1), (grey, grey, grey, 255))
    image.putalpha(Image.frombytes("L", image.size, bytes(alphas)))
    return image


def square(size: int, low: int, high: int) -> Image.Image:
    mask = Image.new("L", (size, size))
    mask.paste(255, (low, low, high, high))
    return mask


def test_any_transparency_makes_alpha_the_mask_cut_above_128() -> None:
    assert list(mask_of(rgba(200, [0, 128, 129, 255])).tobytes()) == [0, 0, 255, 255]


def test_soft_alpha_is_kept_when_the_mask_is_not_to_be_rounded() -> None:
    assert list(mask_of(rgba(200, [0, 128, 129, 255]), binarise_alpha=False).tobytes()) == [0, 128, 129, 255]


def test_an_opaque_rgba_mask_counts_by_its_luminance_and_keeps_grey() -> None:
    assert list(mask_of(rgba(77, [255, 255])).tobytes()) == [77, 77]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_masks_are_not_binarised(mode: str) -> None:
    assert list(mask_of(Image.new(mode, (2, 1), (90,) * len(mode) if mode == "RGB" else 90)).tobytes()) == [90, 90]


def test_a_mask_and_its_inverse_are_complements() -> None:
    mask = Image.linear_gradient("L")

    total = np.asarray(mask).astype(int) + np.asarray(invert_mask(mask))

    assert (total == 255).all()


@pytest.mark.parametrize(("sigma", "taps"), [(1, 7), (4, 21), (8, 41), (16, 81), (64, 321)])
def test_blur_kernels_have_webuis_length(sigma: int, taps: int) -> None:
    assert blur_taps(sigma) == taps


@pytest.mark.parametrize(("x", "y"), [(4, 0), (0, 4), (16, 1)])
def test_each_axis_is_blurred_by_its_own_sigma_only_as_far_as_its_kernel_reaches(x: int, y: int) -> None:
    box = blur_mask(square(256, 100, 150), x=x, y=y).getbbox()

    assert box is not None
    reach_x, reach_y = (blur_taps(sigma) // 2 if sigma else 0 for sigma in (x, y))
    assert 100 - reach_x <= box[0] <= 100 - reach_x // 2
    assert 100 - reach_y <= box[1] <= 100 - reach_y // 2
    assert (box[2] - 150, box[3] - 150) == (100 - box[0], 100 - box[1])


def test_a_blur_of_zero_changes_nothing() -> None:
    mask = square(64, 10, 20)

    assert blur_mask(mask, x=0, y=0).tobytes() == mask.tobytes()


def test_a_blur_wider_than_the_mask_works() -> None:
    assert blur_mask(Image.new("L", (3, 2), 255), x=64, y=64).tobytes() == b"\xff" * 6


def test_doubling_clips_so_that_half_and_more_is_all() -> None:
    mask = Image.frombytes("L", (5, 1), bytes([0, 1, 127, 128, 255]))

    assert list(double_mask(mask).tobytes()) == [0, 2, 254, 255, 255]


def test_the_latent_mask_of_the_reference_square_has_76_cells() -> None:
    mask = blur_mask(square(256, 60, 130), x=4, y=4)

    weights = latent_mask(mask, width=32, height=32)

    assert weights.shape == (32, 32)
    assert weights.dtype == np.float32
    assert set(np.unique(weights)) == {0.0, 1.0}
    assert weights.sum() == 76


def test_an_unrounded_latent_mask_keeps_its_soft_edge() -> None:
    weights = latent_mask(blur_mask(square(256, 60, 130), x=4, y=4), width=32, height=32, rounded=False)

    assert len(np.unique(weights)) > 10
    assert (np.around(weights).sum(), weights.min(), weights.max()) == (76, 0, 1)


def test_a_dimmed_mask_rounds_to_nothing() -> None:
    assert latent_mask(Image.new("L", (64, 64), 102), width=8, height=8).sum() == 0


def test_a_mask_of_another_size_is_brought_to_the_pictures_size_without_new_greys() -> None:
    fitted = fit_mask(square(64, 16, 48), (100, 200))

    assert fitted.size == (100, 200)
    assert set(fitted.tobytes()) == {0, 255}

"""Colour correction beside the library WebUI takes its histograms from, and what it must keep."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.exposure import match_histograms as reference

from inference_container.pictures.color_correction import LUMA, correct_colors, keep_luminosity, match_histograms

Bytes = npt.NDArray[np.uint8]


def random_pixels(seed: int, *, low: int = 0, high: int = 256, size: tuple[int, int] = (40, 30)) -> Bytes:
    return np.random.default_rng(seed).integers(low, high, (*size, 3), dtype=np.uint8)


def luma(pixels: Bytes) -> npt.NDArray[np.float64]:
    weighted: npt.NDArray[np.float64] = pixels @ np.asarray(LUMA)
    return weighted


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), low=st.integers(0, 250), width=st.integers(1, 50))
def test_histograms_match_as_the_library_matches_them(seed: int, low: int, width: int) -> None:
    pixels, like = random_pixels(seed), random_pixels(seed + 1, low=low, high=low + 5, size=(20, width))

    assert np.array_equal(match_histograms(pixels, like), reference(pixels, like, channel_axis=2))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), low=st.integers(0, 200))
def test_luminosity_is_kept_to_the_truncated_level(seed: int, low: int) -> None:
    colors, own = random_pixels(seed), random_pixels(seed + 1, low=low, high=low + 50)

    kept = keep_luminosity(colors, of=own)

    loss = luma(own) - luma(kept)
    assert loss.min() > -1e-6
    assert loss.max() <= 1 + 1e-6


def test_truncation_takes_a_vector_down_as_webui_does() -> None:
    # Worked by hand: 100 → luma 0.299·100 + 0.587·150 + 0.114·200 = 140.75 is moved by -40.75 to a luma of 100.
    colors = np.array([[[100, 150, 200]]], np.uint8)

    kept = keep_luminosity(colors, of=np.array([[[100, 100, 100]]], np.uint8))

    assert kept.tolist() == [[[59, 109, 159]]]


def test_black_and_white_stay_what_they_are() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)

    assert keep_luminosity(greys, of=np.zeros_like(greys)).max() == 0
    assert keep_luminosity(greys, of=np.full_like(greys, 255)).min() >= 254


def test_a_picture_corrected_by_itself_stays_itself_within_the_rounding_of_lab() -> None:
    image = Image.fromarray(random_pixels(3))

    corrected = np.asarray(correct_colors(image, like=image)).astype(int)

    assert np.abs(corrected - np.asarray(image)).max() <= 20
    assert np.abs(corrected - np.asarray(image)).mean() < 1


def test_a_grey_picture_takes_the_colour_of_another_size_and_keeps_its_brightness() -> None:
    grey = Image.effect_noise((64, 48), 20).convert("RGB")
    blue = Image.fromarray(random_pixels(5) // 8 + np.array([40, 60, 200], np.uint8))

    corrected = np.asarray(correct_colors(grey, like=blue)).astype(int)

    assert (corrected[:, :, 2] - corrected[:, :, 0]).mean() > 50
    assert np.abs(luma(corrected.astype(np.uint8)) - luma(np.asarray(grey))).mean() < 1

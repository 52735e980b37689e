"""Flattening, filling, overlays and the way back from numbers to 8 bits (semantics §2.0, §2.3–2.5, §2.12)."""

import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.pictures.crop_region import Box
from inference_container.pictures.filling import fill_masked
from inference_container.pictures.flattening import flatten
from inference_container.pictures.masks import blur_mask, double_mask
from inference_container.pictures.overlays import make_overlay, paste_back
from inference_container.pictures.pixels import from_model_range, to_model_range


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def blurred_square(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return blur_mask(mask, x=4, y=4)


def test_transparent_pixels_become_the_background_and_half_transparent_ones_half_of_it() -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    image.putalpha(Image.frombytes("L", (3, 1), bytes([0, 128, 255])))

    assert list(flatten(image).tobytes()) == [255] * 3 + [127] * 3 + [0] * 3
    assert list(flatten(image, background="#ff0000").tobytes()) == [255, 0, 0, 127, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("mode", ["L", "P", "LA", "CMYK", "1"])
def test_other_modes_are_converted_to_rgb(mode: str) -> None:
    assert flatten(Image.new(mode, (2, 2))).mode == "RGB"


def test_filling_keeps_what_is_not_masked_and_draws_the_rest_from_it() -> None:
    image = Image.new("RGB", (64, 64), (200, 30, 30))
    image.paste((0, 0, 255), (20, 20, 44, 44))
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))

    filled = fill_masked(image, mask)

    assert filled.mode == "RGB"
    outside = np.asarray(mask) == 0
    assert (np.asarray(filled)[outside] == np.asarray(image)[outside]).all()
    # Premultiplied layers may lose a few levels on the way, but no blue of the masked part comes through.
    assert np.abs(np.asarray(filled).astype(int) - (200, 30, 30)).max() <= 12


def test_filling_under_a_mask_of_everything_gives_black() -> None:
    assert set(fill_masked(noise((16, 16), 0), Image.new("L", (16, 16), 255)).tobytes()) == {0}


def test_whole_picture_overlay_keeps_unmasked_pixels_and_lets_the_result_through_from_half_masked_on() -> None:
    original, result = noise((96, 64), 1), noise((96, 64), 2)
    mask = blurred_square((96, 64), (30, 20, 60, 44))

    pasted = np.asarray(paste_back(result, make_overlay(original, double_mask(mask))))

    untouched, redrawn = np.asarray(mask) == 0, np.asarray(mask) >= 128
    assert untouched.any()
    assert redrawn.any()
    assert (pasted[untouched] == np.asarray(original)[untouched]).all()
    assert (pasted[redrawn] == np.asarray(result)[redrawn]).all()


def test_soft_pixels_lie_within_two_levels_of_the_linear_blend() -> None:
    original, result = noise((96, 64), 3), noise((96, 64), 4)
    mask = blurred_square((96, 64), (30, 20, 60, 44))

    pasted = np.asarray(paste_back(result, make_overlay(original, mask))).astype(float)

    weight = np.asarray(mask)[..., None] / 255
    assert np.abs(pasted - (np.asarray(original) * (1 - weight) + np.asarray(result) * weight)).max() <= 2


def test_only_masked_gives_back_the_full_picture_with_the_result_in_its_place() -> None:
    original = noise((200, 120), 5)
    mask = blurred_square((200, 120), (90, 50, 110, 70))
    region = Box(68, 28, 132, 92)

    pasted = paste_back(noise((64, 64), 6), make_overlay(original, mask), region=region)

    assert (pasted.mode, pasted.size) == ("RGB", (200, 120))
    untouched, redrawn = np.asarray(mask) == 0, np.asarray(mask) == 255
    assert (np.asarray(pasted)[untouched] == np.asarray(original)[untouched]).all()
    expected = Image.new("RGB", (200, 120))
    expected.paste(noise((64, 64), 6), (68, 28))
    assert (np.asarray(pasted)[redrawn] == np.asarray(expected)[redrawn]).all()


def test_a_result_smaller_than_the_overlay_is_an_error() -> None:
    with pytest.raises(ValueError, match="allowed: at least the overlay's"):
        paste_back(noise((10, 10), 0), make_overlay(noise((20, 10), 0), Image.new("L", (20, 10))))


def test_a_larger_result_is_cut_to_the_overlays_size() -> None:
    result = noise((24, 16), 0)

    pasted = paste_back(result, make_overlay(noise((20, 10), 0), Image.new("L", (20, 10), 255)))

    assert pasted.tobytes() == result.convert("RGB").crop((0, 0, 20, 10)).tobytes()


def test_half_grey_is_truncated_to_127_not_rounded_to_128() -> None:
    assert set(from_model_range(np.zeros((3, 2, 4), np.float32)).tobytes()) == {127}


def test_values_outside_the_range_are_clamped() -> None:
    decoded = np.stack([np.full((1, 1), value, np.float32) for value in (-7, 7, 0.999)])

    assert list(from_model_range(decoded).tobytes()) == [0, 255, 254]


def test_every_level_survives_the_way_there_and_back_but_for_truncation() -> None:
    image = Image.frombytes("RGB", (256, 1), bytes(level for level in range(256) for _ in range(3)))

    numbers = to_model_range(image)

    assert numbers.shape == (3, 1, 256)
    assert numbers.dtype == np.float32
    assert (numbers.min(), numbers.max()) == (-1, 1)
    lost = np.asarray(image).astype(int) - np.asarray(from_model_range(numbers))
    assert set(np.unique(lost)) <= {0, 1}


def test_a_picture_that_is_not_a_number_ends_the_job_as_nan() -> None:
    decoded = np.zeros((3, 2, 2), np.float32)
    decoded[1, 0, 1] = np.nan

    with pytest.raises(JobFailed) as caught:
        from_model_range(decoded)

    assert caught.value.error.code is JobErrorCode.NAN_LATENTS


@pytest.mark.parametrize("shape", [(2, 2, 3), (1, 3, 2, 2), (4, 2, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        from_model_range(np.zeros(shape, np.float32))

"""What the model gets to see of an init picture and a mask, and what stays of the original."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import Img2ImgParams
from inference_container.drawing.init_picture import prepare_init_pictures
from inference_container.pictures.crop_region import Box
from tests.tasks.conftest import as_text, noisy, rectangle


def params(image: Image.Image, mask: Image.Image | None = None, /, **fields: Any) -> Img2ImgParams:
    body: dict[str, Any] = {"init_images": [as_text(image)], "width": 64, "height": 64}
    if mask is not None:
        body["mask"] = as_text(mask)
    return Img2ImgParams.model_validate(body | fields)


def equal(left: Image.Image, right: Image.Image) -> bool:
    return left.mode == right.mode and np.array_equal(np.asarray(left), np.asarray(right))


def test_without_a_mask_only_the_size_changes() -> None:
    (picture,) = prepare_init_pictures(params(noisy(96, 64)))

    assert picture.image.size == (64, 64)
    assert (picture.mask, picture.overlay, picture.region) == (None, None, None)


def test_latent_upscale_leaves_the_picture_at_its_own_size() -> None:
    (picture,) = prepare_init_pictures(params(noisy(96, 64), resize_mode=3))

    assert equal(picture.image, noisy(96, 64))


def test_transparency_is_flattened_on_the_background_colour() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))

    (white,) = prepare_init_pictures(params(clear))

    assert white.image.getpixel((5, 5)) == (255, 255, 255)


def test_only_masked_cuts_the_region_out_and_keeps_the_whole_original_as_overlay() -> None:
    original, mask = noisy(1024, 768), rectangle(1024, 768, (100, 300, 200, 340))
    request = params(original, mask, width=512, height=512, mask_blur=4, inpaint_full_res_padding=32, inpainting_fill=1)

    (picture,) = prepare_init_pictures(request)

    assert picture.region == Box(58, 228, 242, 412)
    assert picture.image.size == (512, 512)
    assert picture.mask is not None
    assert picture.mask.size == (512, 512)
    assert picture.overlay is not None
    assert picture.overlay.size == (1024, 768)
    assert picture.overlay.getpixel((10, 10)) == (*np.asarray(original)[10, 10], 255)
    assert picture.overlay.getpixel((150, 320))[3] == 0  # type: ignore[index]


def test_an_empty_mask_with_only_masked_is_plain_img2img() -> None:
    (picture,) = prepare_init_pictures(params(noisy(96, 64), Image.new("L", (96, 64))))

    assert picture.image.size == (64, 64)
    assert (picture.mask, picture.overlay, picture.region) == (None, None, None)


def test_whole_picture_lets_the_result_through_from_half_the_mask_on() -> None:
    request = params(noisy(64, 64), Image.new("L", (64, 64), 128), inpaint_full_res=False, mask_blur=0)

    (picture,) = prepare_init_pictures(request)

    assert picture.mask is not None
    assert picture.mask.getpixel((0, 0)) == 128
    assert picture.overlay is not None
    assert picture.overlay.getchannel("A").getextrema() == (0, 0)


def test_an_inverted_mask_repaints_the_rest() -> None:
    mask = rectangle(64, 64, (0, 0, 32, 64))
    common: dict[str, Any] = {"inpaint_full_res": False, "mask_blur": 0}

    (plain,) = prepare_init_pictures(params(noisy(64, 64), mask, **common))
    (inverted,) = prepare_init_pictures(params(noisy(64, 64), mask, inpainting_mask_invert=1, **common))

    assert plain.mask is not None
    assert inverted.mask is not None
    assert np.array_equal(np.asarray(plain.mask), 255 - np.asarray(inverted.mask))


@pytest.mark.parametrize(("fill", "changes"), [(0, True), (1, False), (2, True), (3, True)])
def test_only_original_content_leaves_what_is_under_the_mask(fill: int, changes: bool) -> None:
    mask = rectangle(64, 64, (16, 16, 48, 48))
    request = params(noisy(64, 64), mask, inpaint_full_res=False, mask_blur=0, inpainting_fill=fill)

    (picture,) = prepare_init_pictures(request)

    assert equal(picture.image.crop((20, 20, 40, 40)), noisy(64, 64).crop((20, 20, 40, 40))) is not changes
    assert equal(picture.image.crop((0, 0, 16, 16)), noisy(64, 64).crop((0, 0, 16, 16)))


def test_a_mask_of_another_size_is_stretched_to_the_picture() -> None:
    request = params(noisy(64, 64), rectangle(32, 32, (0, 0, 16, 32)), inpaint_full_res=False, mask_blur=0)

    (picture,) = prepare_init_pictures(request)

    assert picture.mask is not None
    assert picture.mask.getbbox() == (0, 0, 32, 64)


def test_resize_modes_hold_for_the_mask_too() -> None:
    request = params(noisy(96, 64), rectangle(96, 64, (0, 0, 16, 64)), resize_mode=1, inpaint_full_res=False)

    (picture,) = prepare_init_pictures(request.model_copy(update={"mask_blur": 0}))

    assert picture.mask is not None
    assert picture.mask.getbbox() is None


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"init_images": ["AAAA"]}, JobErrorCode.BAD_IMAGE, "init_images[0]"),
        ({"mask": "AAAA"}, JobErrorCode.BAD_IMAGE, "mask"),
        (
            {
                "init_images": [as_text(noisy(64, 64)), as_text(noisy(64, 32))],
                "batch_size": 2,
                "mask": as_text(Image.new("L", (64, 64), 255)),
            },
            JobErrorCode.INVALID_PARAMS,
            "received sizes 64x64, 64x32",
        ),
    ],
)
def test_pictures_that_cannot_be_used_are_named(change: dict[str, Any], code: JobErrorCode, reason: str) -> None:
    with pytest.raises(JobFailed) as failed:
        prepare_init_pictures(params(noisy(64, 64), **change))

    assert failed.value.error.code is code
    assert reason in failed.value.error.message

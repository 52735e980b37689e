"""Finished files: the infotext is where WebUI puts it."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.webui.picture_texts import EXIF_IFD, USER_COMMENT
from inference_container.pictures.encoding import PictureFormat, encode_picture

INFOTEXT = "a cat, (red:1.2)\nNegative prompt: 犬 é\nSteps: 20, Sampler: Euler"


def reopened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@settings(max_examples=50, deadline=None)
@given(infotext=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200))
def test_a_png_holds_any_infotext_in_its_parameters_chunk(infotext: str) -> None:
    opened = reopened(encode_picture(Image.new("RGB", (2, 2)), infotext=infotext))

    assert opened.info["parameters"] == infotext


def test_a_png_keeps_its_pixels_and_says_nothing_without_infotext() -> None:
    image = Image.effect_noise((31, 17), 90).convert("RGB")

    opened = reopened(encode_picture(image))

    assert (opened.format, opened.tobytes()) == ("PNG", image.tobytes())
    assert "parameters" not in opened.info


@pytest.mark.parametrize("picture_format", ["jpeg", "webp", "avif"])
def test_other_formats_hold_the_infotext_as_exif_user_comment(picture_format: PictureFormat) -> None:
    opened = reopened(encode_picture(Image.new("RGB", (16, 16)), picture_format=picture_format, infotext=INFOTEXT))

    comment = opened.getexif().get_ifd(EXIF_IFD)[USER_COMMENT]
    assert opened.format == picture_format.upper()
    assert comment == b"UNICODE\0" + INFOTEXT.encode("utf-16-be")


def test_lossless_webp_keeps_the_pixels() -> None:
    image = Image.effect_noise((20, 20), 90).convert("RGB")

    assert reopened(encode_picture(image, picture_format="webp", lossless=True)).convert("RGB").tobytes() == (
        image.tobytes()
    )


def test_quality_changes_the_size_of_a_jpeg() -> None:
    image = Image.effect_noise((64, 64), 90).convert("RGB")

    low, high = (len(encode_picture(image, picture_format="jpeg", quality=quality)) for quality in (10, 95))

    assert low < high


def test_a_text_too_long_for_jpeg_is_refused_by_name_of_format() -> None:
    with pytest.raises(JobFailed) as caught:
        encode_picture(Image.new("RGB", (4, 4)), picture_format="jpeg", infotext="x" * 40_000)

    assert caught.value.error.code is JobErrorCode.INVALID_PARAMS
    assert "jpeg" in caught.value.error.message


def test_a_picture_too_wide_for_webp_is_refused() -> None:
    with pytest.raises(JobFailed, match="webp cannot hold a picture of 16384×1"):
        encode_picture(Image.new("RGB", (16_384, 1)), picture_format="webp")

"""Pictures that are cut off are refused when the job is sent, as Pillow would refuse them when it runs."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lambdas.jobs.pictures import picture_errors

END_MARK = b"\xff\xd9"
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "DDS", "TGA")


def saved(picture_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(7).normal(128, 60, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, picture_format, **options)
    return file.getvalue()


def is_refused(data: bytes) -> bool:
    return bool(picture_errors({"mask": base64.b64encode(data).decode()}))


def loads(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


@pytest.mark.parametrize("picture_format", FORMATS)
def test_whole_pictures_are_taken(picture_format: str) -> None:
    assert not is_refused(saved(picture_format))
    assert not is_refused(saved(picture_format) + b"trailing bytes")


@pytest.mark.parametrize(
    "data",
    [
        saved("JPEG", progressive=True),
        saved("JPEG", exif=Image.Exif().tobytes() + saved("JPEG")),
        saved("PNG", compress_level=0),
        saved("WEBP", lossless=True),
    ],
)
def test_other_kinds_of_whole_pictures_are_taken(data: bytes) -> None:
    assert not is_refused(data)


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("left", [0.3, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_refused(picture_format: str, left: float) -> None:
    data = saved(picture_format)
    cut = data[: int(len(data) * left)]

    assert not loads(cut)
    assert is_refused(cut)


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.parametrize("cut", [1, 2, 4, 12, 16, 33, 100, 1000])
def test_what_the_container_could_read_is_never_refused(picture_format: str, cut: int) -> None:
    """But for a JPEG that lacks its end mark alone: Pillow reads one such picture in twenty."""
    data = saved(picture_format)[:-cut]

    assert not (loads(data) and is_refused(data)) or (picture_format == "JPEG" and cut <= len(END_MARK))

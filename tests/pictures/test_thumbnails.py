"""Small pictures for lists: their size, their look, and what cannot be made small."""

import io

import numpy as np
import pytest
from PIL import Image

from inference_container.pictures.encoding import PictureFormat, encode_picture
from inference_container.pictures.thumbnails import SIDE, thumbnail_of


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1024, 1024), (256, 256)),
        ((1024, 512), (256, 128)),
        ((8, 6), (8, 6)),
        ((4000, 8), (256, 1)),
        ((300, 2000), (38, 256)),
    ],
)
@pytest.mark.parametrize("picture_format", ["png", "jpeg", "webp", "avif"])
def test_a_thumbnail_keeps_the_shape_and_never_grows(
    size: tuple[int, int], small: tuple[int, int], picture_format: PictureFormat
) -> None:
    data = encode_picture(Image.new("RGB", size, "red"), picture_format=picture_format, infotext="a cat")

    thumbnail = opened(thumbnail_of(data))

    assert (thumbnail.size, thumbnail.format) == (small, "WEBP")
    red, green, blue = np.asarray(thumbnail.convert("RGB")).reshape(-1, 3).mean(axis=0)
    assert red > 240
    assert max(green, blue) < 20


def test_the_hardest_picture_takes_less_than_100_kilobytes_and_no_infotext() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)

    data = thumbnail_of(encode_picture(Image.fromarray(noise), infotext="a cat " * 1000))

    assert len(data) < 100_000
    assert b"a cat" not in data
    assert max(opened(data).size) == SIDE


def test_what_is_transparent_stays_so() -> None:
    thumbnail = opened(thumbnail_of(encode_picture(Image.new("RGBA", (300, 300), (0, 0, 0, 0)))))

    assert thumbnail.getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_what_is_no_picture_has_no_thumbnail() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        thumbnail_of(b"nothing")

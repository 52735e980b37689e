"""Request pictures: what is read, what is refused and in which words."""

import base64
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.pictures.decoding import MAX_PIXELS, decode_picture


def as_base64(image: Image.Image, picture_format: str = "PNG", **options: object) -> str:
    file = io.BytesIO()
    image.save(file, picture_format, **options)
    return base64.b64encode(file.getvalue()).decode()


def refusal(text: str) -> str:
    with pytest.raises(JobFailed) as caught:
        decode_picture(text, field="init_images[0]")
    assert caught.value.error.code is JobErrorCode.BAD_IMAGE
    assert not caught.value.error.retryable
    return caught.value.error.message


def picture(mode: str = "RGB", size: tuple[int, int] = (5, 3)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def png_header_claiming(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("picture_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_base64_of_a_lossless_picture_gives_its_pixels(picture_format: str) -> None:
    image = picture("L")

    decoded = decode_picture(as_base64(image, picture_format), field="mask")

    assert decoded.convert("L").tobytes() == image.tobytes()


@pytest.mark.parametrize("picture_format", ["JPEG", "WEBP"])
def test_lossy_pictures_are_read(picture_format: str) -> None:
    assert decode_picture(as_base64(picture(), picture_format), field="mask").size == (5, 3)


def test_a_data_uri_and_wrapped_lines_give_the_same_picture_as_bare_base64() -> None:
    text = as_base64(picture())
    wrapped = "\n".join(text[start : start + 20] for start in range(0, len(text), 20))

    plain = decode_picture(text, field="x").tobytes()

    assert decode_picture("data:image/png;base64," + text, field="x").tobytes() == plain
    assert decode_picture(wrapped, field="x").tobytes() == plain


def test_a_photo_taken_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    upright = decode_picture(as_base64(picture(size=(8, 4)), "JPEG", exif=exif), field="x")

    assert upright.size == (4, 8)
    assert 0x0112 not in upright.getexif()


def test_a_palette_png_with_byte_transparency_becomes_rgba() -> None:
    image = picture("P")

    decoded = decode_picture(as_base64(image, transparency=bytes(range(0, 250, 2))), field="x")

    assert decoded.mode == "RGBA"
    assert decoded.getchannel("A").getextrema() != (255, 255)


def test_sixteen_bit_grey_keeps_its_high_byte() -> None:
    image = Image.frombytes("I;16", (2, 1), struct.pack("<HH", 0x8012, 0x01FF))

    decoded = decode_picture(as_base64(image), field="x")

    assert (decoded.mode, list(decoded.tobytes())) == ("L", [0x80, 0x01])


def test_broken_base64_is_refused_naming_field_and_text() -> None:
    message = refusal("this is no base64!")

    assert message.startswith("init_images[0]: received 18 characters that are not valid base64")
    assert "'this is no base6'" in message


def test_a_url_is_refused_because_nothing_is_fetched() -> None:
    assert "http://example.com/a.png; pictures are not fetched" in refusal("http://example.com/a.png").replace("'", "")


@pytest.mark.parametrize("uri", ["data:text/plain;base64,aGk=", "data:image/png,rawtext", "data:image/png;base64"])
def test_another_data_uri_is_refused(uri: str) -> None:
    assert "allowed: data:image/TYPE;base64" in refusal(uri)


@pytest.mark.parametrize("text", ["data:image/png;base64,", "   ", "\n"])
def test_an_empty_picture_is_refused(text: str) -> None:
    assert "empty picture" in refusal(text)


def test_bytes_that_are_no_picture_are_refused_naming_how_they_start() -> None:
    message = refusal(base64.b64encode(b"%PDF-1.7 and so on").decode())

    assert "18 bytes" in message
    assert "%PDF" in message


def test_postscript_is_never_handed_to_an_interpreter() -> None:
    assert "not a PNG/JPEG" in refusal(base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").decode())


@pytest.mark.parametrize("size", [(10_001, 10_000), (65_000, 65_000), (2_000_000_000, 2)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    message = refusal(base64.b64encode(png_header_claiming(*size)).decode())

    assert str(MAX_PIXELS) in message


def test_a_picture_between_pillows_warning_and_our_limit_is_judged_by_its_bytes_not_its_size() -> None:
    assert "truncated or broken PNG picture of 10000×9990" in refusal(
        base64.b64encode(png_header_claiming(10_000, 9_990)).decode()
    )


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_picture_is_refused(picture_format: str) -> None:
    data = base64.b64decode(as_base64(Image.effect_noise((64, 64), 80).convert("RGB"), picture_format))

    assert "broken" in refusal(base64.b64encode(data[: len(data) // 2]).decode())


def test_pictures_with_32_bits_a_channel_are_refused() -> None:
    assert "32 bits" in refusal(as_base64(Image.new("F", (2, 2)), "TIFF"))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), picture_format=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]))
def test_damaged_bytes_give_a_picture_or_bad_image_and_nothing_else(data: st.DataObject, picture_format: str) -> None:
    raw = bytearray(base64.b64decode(as_base64(picture(size=(9, 7)), picture_format)))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(1, len(raw)))]

    try:
        decoded = decode_picture(base64.b64encode(raw).decode(), field="mask")
    except JobFailed as failed:
        seen = failed.error.code is JobErrorCode.BAD_IMAGE
    else:
        seen = decoded.width * decoded.height <= MAX_PIXELS

    assert seen

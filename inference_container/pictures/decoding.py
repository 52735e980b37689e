"""Decodes the base64 pictures of a request to upright PIL images; limits are checked before pixels are decoded."""

import base64
import binascii
import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.picture_formats import READ_FORMATS

MAX_PIXELS = 100_000_000
"""Maximum width × height, read from the header."""
FORMATS = tuple(str(row.pillow) for row in READ_FORMATS)
"""The only formats that are opened; others (EPS, WMF, …) may run programs or read other files."""

# The errors that Pillow's decoders raise for broken input.
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def decode_picture(text: str, *, field: str) -> Image.Image:
    """Decode the picture in `text`: base64 or a `data:image/…;base64,` URI (semantics §2.0).

    It is turned upright by its EXIF orientation. PNG pictures with a palette or RGB that have transparency become RGBA,
    16-bit grey becomes L; other modes stay. `field` names the request field in errors, e.g. `init_images[0]`.

    Raises:
        JobFailed: BAD_IMAGE; the message names what was received.
    """
    data = _bytes_of(text, field)
    with warnings.catch_warnings():
        # Pillow warns about sizes below our limit, and about oddities in pictures that it then reads or refuses.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise _bad(
                field, f"{len(data)} bytes that are not a {'/'.join(FORMATS)} picture (they start with {data[:8]!r})"
            ) from error
        except Image.DecompressionBombError as error:
            raise _bad(field, f"a picture that is too large ({error}); allowed: up to {MAX_PIXELS} pixels") from error
        except _BROKEN as error:
            raise _bad(field, f"a broken picture ({error})") from error
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise _bad(field, f"a picture of {width}×{height} = {width * height} pixels; allowed: up to {MAX_PIXELS}")
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
        except _BROKEN as error:
            raise _bad(field, f"a truncated or broken {image.format} picture of {width}×{height} ({error})") from error
    # Pillow gives PPM's numbers up to 65,535 in a mode of 32 bits.
    return _eight_bit(upright, field, deep=image.format == "PPM")


def _bytes_of(text: str, field: str) -> bytes:
    if text.startswith("data:"):
        head, comma, body = text.partition(",")
        if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
            raise _bad(field, f"a data URI that starts with {text[:40]!r}; allowed: data:image/TYPE;base64,…")
    elif text.startswith(("http://", "https://")):
        raise _bad(field, f"the URL {text[:80]!r}; pictures are not fetched, send their bytes as base64")
    else:
        body = text
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(
            field, f"{len(body)} characters that are not valid base64 ({error}; they start with {body[:16]!r})"
        ) from error
    if not data:
        raise _bad(field, "an empty picture")
    return data


def _eight_bit(image: Image.Image, field: str, *, deep: bool) -> Image.Image:
    if image.mode == "I" and deep:
        image = image.convert("I;16")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise _bad(field, f"a picture with 32 bits per channel (mode {image.mode}); allowed: 8 or 16 bits")
    if image.mode in {"RGB", "P"} and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")
    return image


def _bad(field: str, received: str) -> JobFailed:
    return JobFailed(JobErrorCode.BAD_IMAGE, f"{field}: received {received}")

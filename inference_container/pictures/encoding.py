"""Encodes finished pictures as files with infotext where WebUI stores it, and reads infotext from pictures."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed

PictureFormat = Literal["png", "jpeg", "webp"]
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286


def encode_picture(
    image: Image.Image,
    *,
    picture_format: PictureFormat = "png",
    infotext: str = "",
    chunks: Mapping[str, str] = MappingProxyType({}),
    quality: int = 80,
    lossless: bool = False,
) -> bytes:
    """Encode `image`, with `infotext` in a PNG's text chunk `parameters` or in EXIF UserComment (JPEG, WebP; UTF-16).

    An empty `infotext` adds nothing. `chunks` are further text chunks of a PNG. `quality` (1–100) is for JPEG and lossy
    WebP, `lossless` for WebP.

    Raises:
        JobFailed: INVALID_PARAMS, if the format does not support a picture of this size (WebP allows 16,383 pixels per
            side) or so long an infotext.
    """
    file = io.BytesIO()
    try:
        if picture_format == "png":
            texts = PngInfo()
            for key, text in {"parameters": infotext, **chunks}.items():
                if text:
                    texts.add_text(key, text)
            image.save(file, "PNG", pnginfo=texts)
        elif picture_format == "jpeg":
            image.convert("RGB").save(file, "JPEG", quality=quality, exif=_exif(infotext))
        else:
            image.save(file, "WEBP", quality=quality, lossless=lossless, exif=_exif(infotext))
    except (OSError, ValueError) as error:
        raise JobFailed(
            JobErrorCode.INVALID_PARAMS,
            f"samples_format {picture_format} cannot hold a picture of {image.width}×{image.height} with "
            f"{len(infotext)} characters of infotext ({error}); png can",
        ) from error
    return file.getvalue()


def infotext_in(image: Image.Image) -> str:
    """The infotext of an open picture; "" if it has none."""
    text = image.info.get("parameters")
    if isinstance(text, str):
        return text
    comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    if not isinstance(comment, bytes) or not comment.startswith(b"UNICODE\0"):
        return ""
    return comment.removeprefix(b"UNICODE\0").decode("utf-16-be", "replace")


def _exif(infotext: str) -> bytes:
    if not infotext:
        return b""
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + infotext.encode("utf-16-be")
    return exif.tobytes()

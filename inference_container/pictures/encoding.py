"""Encodes finished pictures as files with infotext where WebUI stores it."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.webui.picture_texts import EXIF_IFD, USER_COMMENT

PictureFormat = Literal["png", "jpeg", "webp", "avif"]


def encode_picture(
    image: Image.Image,
    *,
    picture_format: PictureFormat = "png",
    infotext: str = "",
    chunks: Mapping[str, str] = MappingProxyType({}),
    quality: int = 80,
    lossless: bool = False,
) -> bytes:
    """Encode `image`, with `infotext` in a PNG's chunk `parameters` or, in other formats, in EXIF UserComment (UTF-16).

    An empty `infotext` adds nothing. `chunks` are further text chunks of a PNG. `quality` (1–100) is for JPEG, AVIF and
    lossy WebP, `lossless` for WebP.

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
        elif picture_format == "avif":
            image.save(file, "AVIF", quality=quality, exif=_exif(infotext))
        else:
            image.save(file, "WEBP", quality=quality, lossless=lossless, exif=_exif(infotext))
    except (OSError, ValueError) as error:
        raise JobFailed(
            JobErrorCode.INVALID_PARAMS,
            f"samples_format {picture_format} cannot hold a picture of {image.width}×{image.height} with "
            f"{len(infotext)} characters of infotext ({error}); png can",
        ) from error
    return file.getvalue()


def _exif(infotext: str) -> bytes:
    if not infotext:
        return b""
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"UNICODE\0" + infotext.encode("utf-16-be")
    return exif.tobytes()

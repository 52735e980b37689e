"""Finished pictures as file bytes with their infotext inside, where WebUI puts it; and reading it there again."""

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
    """`image` as a file. PNG: text chunk `parameters`; JPEG and WebP: EXIF UserComment in UTF-16. "" adds nothing.

    `chunks` are further texts of a PNG. `quality` (1–100) is for JPEG and lossy WebP, `lossless` for WebP.

    Raises:
        JobFailed: INVALID_PARAMS, the format cannot hold this picture (WebP ends at 16,383 pixels a side) or text.
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
    """The infotext of an opened picture; "" when it has none."""
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

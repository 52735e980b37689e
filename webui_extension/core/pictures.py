"""Pictures on their way to the cloud: PNG, without metadata of any kind."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image, ImageOps


def data_url(image: Image.Image) -> str:
    """A PNG as a `data:` URL: neither infotext nor EXIF nor a colour profile travels with it."""
    buffer = io.BytesIO()
    plain(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def plain(image: Image.Image) -> Image.Image:
    """The pixels alone, upright: a palette or a transparent colour becomes RGBA, as in WebUI's `fix_image`."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    copy = image.copy()
    copy.info = {}
    return copy


def picture_of(value: Any) -> Image.Image | None:
    """A picture as hosts hand it over: a PIL image, an array of height × width × channels, or None."""
    if value is None or isinstance(value, Image.Image):
        return value
    return Image.fromarray(value)

"""Pictures inside a request: large ones travel on their own, so that the request itself stays small."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

LARGE = 3_000_000
"""Characters of base64 from which a picture is uploaded on its own; requests over 4 MiB do not reach the API."""
PICTURE_FIELDS = frozenset(
    {"init_images", "mask", "firstpass_image", "image", "input_image", "mask_image", "latent_mask"}
)


def moved_out(params: Mapping[str, Any], upload: Callable[[bytes], str]) -> dict[str, Any]:
    """The params with `upload(picture)` in the place of each large picture.

    What is not base64 stays as it is: the API says what is wrong with it.
    """
    return {name: _moved(value, name in PICTURE_FIELDS, upload) for name, value in params.items()}


def _moved(value: Any, is_picture: bool, upload: Callable[[bytes], str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _moved(inner, is_picture or name in PICTURE_FIELDS, upload) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, is_picture, upload) for inner in value]
    if is_picture and isinstance(value, str) and len(value) >= LARGE:
        picture = decoded(value)
        return value if picture is None else upload(picture)
    return value


def decoded(text: str) -> bytes | None:
    """The bytes of base64 with or without `data:image/…;base64,`; None if it is neither."""
    content = text.partition(";base64,")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(content.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None

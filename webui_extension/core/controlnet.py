"""A ControlNet unit of the host as the fields of its API."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from webui_extension.core.pictures import data_url, picture_of

_FIELDS = (
    "enabled", "module", "model", "weight", "resize_mode", "low_vram", "processor_res", "threshold_a", "threshold_b",
    "guidance_start", "guidance_end", "pixel_perfect", "control_mode", "inpaint_crop_input_image", "hr_option",
    "save_detected_map", "advanced_weighting",
)  # fmt: skip


def unit_body(unit: object) -> dict[str, Any]:
    """The unit with its pictures as PNG; `unit` is the extension's object or a dictionary with the same names."""

    def read(name: str) -> Any:
        return unit.get(name) if isinstance(unit, Mapping) else getattr(unit, name, None)

    body = {name: _plain(read(name)) for name in _FIELDS if read(name) is not None}
    image: Any = read("image")
    mask: Any = read("mask_image_fg" if read("mask_image_fg") is not None else "mask")
    if isinstance(image, Mapping):
        image, mask = image.get("image"), image.get("mask")
    for name, value in (("image", image), ("mask", mask)):
        picture = picture_of(value)
        if picture is not None and (name == "image" or picture.convert("L").getextrema() != (0, 0)):
            body[name] = data_url(picture)
    return body


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value

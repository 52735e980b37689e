"""The size of the pictures that a checkpoint learned, where its file says so."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

RESOLUTION: Final = "modelspec.resolution"
"""Metadata key of Stability AI's model specification, which kohya's trainer writes: `1024x1024`, or one number."""
PACKED_CONFIG: Final = "generate_on_cloud.config"
LATENT_CELL: Final = 8
"""Pixels of a side that one latent cell covers, in every family that is drawn."""
SIZES: Final = range(8, 8193)
"""Sides in pixels that are believed."""


def native_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Width and height in pixels; None if the header does not say."""
    return _specified(metadata.get(RESOLUTION, "")) or _packed(metadata.get(PACKED_CONFIG, ""))


def _specified(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(?P<width>\d{1,5})(?:[x,](?P<height>\d{1,5}))?", text.strip())
    return _believed(int(found["width"]), int(found["height"] or found["width"])) if found else None


def _packed(text: str) -> tuple[int, int] | None:
    """Of the UNet's configuration, as diffusers writes it: `sample_size` in latent cells."""
    try:
        config: Any = json.loads(text)["unet/config.json"]
        cells: Any = (json.loads(config) if isinstance(config, str) else config)["sample_size"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _believed(cells * LATENT_CELL, cells * LATENT_CELL) if type(cells) is int else None


def _believed(width: int, height: int) -> tuple[int, int] | None:
    return (width, height) if width in SIZES and height in SIZES else None

"""Extras of a result: a picture that the cloud has drawn is enlarged in the cloud."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say

TASK = "extra_single_image"
FILTERS = ("Lanczos", "Nearest")
"""Upscalers that need no model file."""
SMALLEST_FACTOR, LARGEST_FACTOR = 1, 8


def picture_url(job: Mapping[str, Any], number: float | None) -> str:
    """Where the picture of this number is, counted from 1.

    Raises:
        PanelError: the job has no such picture.
    """
    images = (job.get("result") or {}).get("images") or ()
    place = int(number or 0)
    if not 1 <= place <= len(images):
        raise PanelError(say("no_such_picture", job=job["job_id"], count=len(images), number=place))
    return str(images[place - 1]["url"])


def upscale_params(picture: bytes, upscaler: str, factor: float) -> dict[str, Any]:
    """`params` of an `extra_single_image` job.

    The file goes back as it came from the cloud: its infotext stays in the enlarged picture, as in the Extras tab.
    """
    return {
        "image": base64.b64encode(picture).decode(),
        "resize_mode": 0,
        "upscaling_resize": factor,
        "upscaler_1": upscaler,
    }

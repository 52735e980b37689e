"""What the console's previews of ControlNet's preprocessors are held to: the container's own maps of one picture."""

import base64
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from inference_container.pictures.control_maps import Bytes, make_map

FILE: Final = Path(__file__).with_name("vectors") / "control_maps.json"
_WIDTH, _HEIGHT = 45, 30
_ASKED: Final = (
    ("none", 30, 0.5, 0.5),
    ("invert", 30, 0.5, 0.5),
    ("canny", 30, 100, 200),
    ("canny", 64, 60, 20),
    ("canny", 20, 100, 200),
    ("threshold", 30, 127, 0.5),
    ("threshold", 22, 90, 0.5),
    ("blur_gaussian", 30, 9.0, 0.5),
    ("blur_gaussian", 41, 1.3, 0.5),
    ("tile_resample", 30, 1.0, 0.5),
    ("tile_resample", 30, 2.7, 0.5),
    ("scribble_xdog", 30, 32, 0.5),
    ("scribble_xdog", 60, 64, 0.5),
    ("lineart_standard", 30, 0.5, 0.5),
    ("lineart_standard", 17, 0.5, 0.5),
    ("recolor_luminance", 30, 1.0, 0.5),
    ("recolor_luminance", 30, 0.4, 0.5),
    ("recolor_intensity", 30, 1.0, 0.5),
    ("recolor_intensity", 30, 1.7, 0.5),
)
"""Module, resolution and both thresholds."""


def picture() -> Bytes:
    """Slopes of colour with lines, a disc, a dot and a little noise."""
    across, down = np.meshgrid(np.linspace(40, 220, _WIDTH), np.linspace(0, 120, _HEIGHT))
    image = np.stack([across, 255 - across + down / 4, 60 + down], axis=2)
    image += np.random.default_rng(7).normal(0, 4, image.shape)
    drawn = np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))
    cv2.circle(drawn, (14, 15), 8, (230, 30, 20), -1)
    cv2.line(drawn, (25, 3), (42, 26), (10, 10, 10), 2)
    cv2.rectangle(drawn, (28, 18), (34, 27), (250, 250, 250), 1)
    # Dark on light, by more than 128 in every channel: there the extension's lines begin again at 0.
    cv2.rectangle(drawn, (0, 20), (10, 29), (255, 255, 255), -1)
    cv2.rectangle(drawn, (3, 23), (6, 26), (66, 66, 66), -1)
    return drawn


def vectors() -> dict[str, Any]:
    """The file's content."""
    source = picture()
    found = []
    for module, resolution, a, b in _ASKED:
        made = make_map(source, module, resolution=resolution, threshold_a=a, threshold_b=b)
        height, width, _ = made.shape
        found.append(
            {"module": module, "resolution": resolution, "a": a, "b": b, "width": width, "height": height}
            | {"map": base64.b64encode(made.tobytes()).decode()}
        )
    data = base64.b64encode(source.tobytes()).decode()
    return {"picture": {"width": _WIDTH, "height": _HEIGHT, "data": data}, "vectors": found}

"""From what a network says of depth to a map of it, as the ControlNet extension 1.1.455 makes it."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from inference_container.pictures.control_maps import Bytes

Depth = npt.NDArray[np.float32]
"""Shape (height, width); near is large."""
Grey = npt.NDArray[np.uint8]

SIDE, PATCH = 518, 14
"""Shorter side of the pictures that Depth Anything sees, and what both sides are multiples of."""
MEANS, SPREADS = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
TILT = 2 * math.pi
"""How much a surface must tilt to look half turned."""


def near_and_far(depth: Depth, *, from_least: bool = False) -> Grey:
    """Depth from black to white; `from_least`: scaled as Depth Anything's map is rounded."""
    least, most = depth.min(), depth.max()
    if most == least:
        return np.zeros(depth.shape, dtype=np.uint8)
    if from_least:
        return np.asarray(((depth - least) / (most - least) * np.float32(255)).astype(np.uint8))
    return np.asarray((_shares(depth) * np.float32(255)).clip(0, 255).astype(np.uint8))


def _shares(depth: Depth) -> Depth:
    moved = depth - depth.min()
    most = moved.max()
    return moved if most == 0 else np.asarray(moved / most, dtype=np.float32)


def directions(depth: Depth, *, background: float) -> Bytes:
    """Where surfaces face, as colours; what is farther than `background` (0..1) faces the viewer."""
    tilts = [
        np.asarray(cv2.Sobel(depth, cv2.CV_32F, across, down, ksize=3), dtype=np.float32)
        for across, down in ((1, 0), (0, 1))
    ]
    far = _shares(depth) < background
    for tilt in tilts:
        tilt[far] = 0
    faces = np.stack([*tilts, np.full(depth.shape, TILT, dtype=np.float32)], axis=2)
    faces = faces / np.sum(faces**2.0, axis=2, keepdims=True) ** 0.5
    return np.asarray((faces * 127.5 + 127.5).clip(0, 255).astype(np.uint8)[:, :, ::-1])


def grown_to_patches(picture: Bytes) -> npt.NDArray[np.float64]:
    """A picture in 0..1 at the size that Depth Anything sees: no side shorter than SIDE, whole patches."""
    height, width, _ = picture.shape
    scale = max(SIDE / height, SIDE / width)
    size = [_in_patches(scale * side) for side in (width, height)]
    return np.asarray(cv2.resize(picture / 255.0, size, interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def _in_patches(length: float) -> int:
    rounded = int(np.round(length / PATCH) * PATCH)
    return rounded if rounded >= SIDE else int(np.ceil(length / PATCH) * PATCH)


def normalized(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """As networks that learned ImageNet want it."""
    return np.asarray(((picture - MEANS) / SPREADS).astype(np.float32))

"""Turns RetinaFace's offsets into faces: boxes and points in pixels, each face once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

STRIDES = (8, 16, 32)
ANCHOR_SIDES = ((16, 32), (64, 128), (256, 512))
"""Sides of the boxes that each cell of a level starts from, in pixels."""
CENTRE_STEP, SIZE_STEP = 0.1, 0.2
"""What an offset of 1 means: of the anchor's side, and of the logarithm of its size."""
LEAST_SCORE = 0.97
MOST_OVERLAP = 0.4

Found = npt.NDArray[np.float32]


def found_faces(boxes: Tensor, scores: Tensor, points: Tensor, *, size: tuple[int, ...]) -> Found:
    """Faces that are surer than LEAST_SCORE, (n, 15): box, score and five points, in pixels, the surest first.

    `boxes` (anchors, 4), `scores` (anchors,) and `points` (anchors, 10) are the network's answer to a picture of
    `size`, height and width.
    """
    height, width = size
    sure = scores > LEAST_SCORE
    anchors = anchor_boxes(height, width)[sure]
    offsets, chosen = boxes[sure], scores[sure]
    centres = anchors[:, :2] + offsets[:, :2] * CENTRE_STEP * anchors[:, 2:]
    sides = anchors[:, 2:] * torch.exp(offsets[:, 2:] * SIZE_STEP)
    start = centres - sides / 2
    corners = torch.cat([start, start + sides], dim=1) * torch.tensor([width, height] * 2)
    spots = anchors[:, None, :2] + points[sure].reshape(-1, 5, 2) * CENTRE_STEP * anchors[:, None, 2:]
    spots = spots.reshape(-1, 10) * torch.tensor([width, height] * 5)
    faces = torch.cat([corners, chosen[:, None], spots], dim=1).numpy().astype(np.float32)
    ordered = faces[faces[:, 4].argsort()[::-1]]
    return ordered[_apart(ordered)]


def anchor_boxes(height: int, width: int) -> Tensor:
    """Centre and size of every anchor as parts of the picture, (anchors, 4), level by level, row by row."""
    levels = []
    for stride, sides in zip(STRIDES, ANCHOR_SIDES, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, side = torch.meshgrid(
            (torch.arange(rows, dtype=torch.float64) + 0.5) * stride / height,
            (torch.arange(columns, dtype=torch.float64) + 0.5) * stride / width,
            torch.tensor(sides, dtype=torch.float64),
            indexing="ij",
        )
        levels.append(torch.stack([x, y, side / width, side / height], dim=-1).reshape(-1, 4))
    return torch.cat(levels).float()


def _apart(ordered: Found) -> Sequence[int]:
    """Which faces overlap none that is surer by more than MOST_OVERLAP of both."""
    left, top, right, bottom = ordered[:, :4].T
    areas = (right - left) * (bottom - top)
    kept: list[int] = []
    for face in range(len(ordered)):
        wide = np.minimum(right[face], right[kept]) - np.maximum(left[face], left[kept])
        high = np.minimum(bottom[face], bottom[kept]) - np.maximum(top[face], top[kept])
        both = np.maximum(wide, 0) * np.maximum(high, 0)
        with np.errstate(invalid="ignore", divide="ignore"):  # boxes without an area overlap none
            shares = both / (areas[face] + areas[kept] - both)
        if not (shares > MOST_OVERLAP).any():
            kept.append(face)
    return kept

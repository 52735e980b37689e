"""From what a network says of edges to a map of them, as the ControlNet extension 1.1.455 makes it."""

import cv2
import numpy as np
import numpy.typing as npt

from inference_container.pictures.control_maps import ridges

Numbers = npt.NDArray[np.floating]
Grey = npt.NDArray[np.uint8]
"""Shape (height, width)."""

SAFE_STEPS = 2
SCRIBBLE_WIDTH = 3.0
"""Sigma of the blur before edges are thinned, and of the one that thickens the lines again."""


def averaged(edges: list[npt.NDArray[np.float32]], *, width: int, height: int) -> Numbers:
    """Edges of several sizes as one map in 0..1."""
    grown = [cv2.resize(edge, (width, height), interpolation=cv2.INTER_LINEAR) for edge in edges]
    return np.asarray(1 / (1 + np.exp(-np.mean(np.stack(grown, axis=2), axis=2).astype(np.float64))))


def stepped(edges: Numbers) -> Numbers:
    """A map with a few levels only, in which the picture's content does not show."""
    raised = (edges.astype(np.float32) * float(SAFE_STEPS + 1)).astype(np.int32)
    return np.asarray(raised.astype(np.float32) / float(SAFE_STEPS))


def in_bytes(numbers: Numbers) -> Grey:
    """From 0..1, cut off."""
    return np.asarray((numbers * 255.0).clip(0, 255).astype(np.uint8))


def scribbled(edges: Grey) -> Grey:
    """Soft edges as lines of one width, black and white."""
    blurred = np.asarray(cv2.GaussianBlur(edges.astype(np.float32), (0, 0), SCRIBBLE_WIDTH), dtype=np.float32)
    thin = np.where(ridges(blurred) > 127, 255, 0).astype(np.uint8)
    thick = cv2.GaussianBlur(thin, (0, 0), SCRIBBLE_WIDTH)
    return np.where(np.asarray(thick) > 4, 255, 0).astype(np.uint8)

"""Draws the straight lines that M-LSD finds, as the ControlNet extension 1.1.455 does."""

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

MOST_LINES = 200
_FARTHEST = 2**15
"""Pixels; OpenCV draws no line whose end is farther away."""


def drawn_lines(answer: Tensor, *, width: int, height: int, likely: float, long: float) -> npt.NDArray[np.uint8]:
    """White lines on black (height, width); `likely`: how likely a line is at least, `long`: its least length.

    `answer` has a map of how likely a line's middle is, and four of where its ends are, all half as large.
    """
    chances = torch.sigmoid(answer[0])
    chances = chances * (max_pool2d(chances[None, None], 3, 1, 1)[0, 0] == chances)
    scores, places = chances.flatten().topk(min(MOST_LINES, chances.numel()))
    canvas = np.zeros((height, width), dtype=np.uint8)
    for score, place in zip(scores.tolist(), places.tolist(), strict=True):
        down, across = divmod(place, answer.shape[2])
        ends = answer[1:5, down, across].numpy()
        if score <= likely or np.sqrt(np.sum((ends[:2] - ends[2:]) ** 2)) <= long:
            continue
        line = 2 * (np.array([across, down, across, down]) + ends)
        if np.abs(line).max() < _FARTHEST:
            first, last = ((int(line[one]), int(line[one + 1])) for one in (0, 2))
            cv2.line(canvas, first, last, 255, 1)
    return canvas

"""What OpenPose's networks would answer to a picture of two people, of whom one is half hidden."""

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]

WHOLE = (
    (0.28, 0.14), (0.28, 0.26), (0.20, 0.27), (0.13, 0.40), (0.10, 0.52), (0.36, 0.27), (0.43, 0.38), (0.47, 0.49),
    (0.23, 0.54), (0.21, 0.72), (0.20, 0.90), (0.33, 0.54), (0.35, 0.72), (0.37, 0.91), (0.26, 0.11), (0.30, 0.11),
    (0.23, 0.13), (0.33, 0.13),
)  # fmt: skip
HALF = {
    0: (0.72, 0.20), 1: (0.74, 0.34), 2: (0.66, 0.35), 3: (0.60, 0.48), 4: (0.66, 0.58), 5: (0.82, 0.36),
    6: (0.88, 0.50), 15: (0.75, 0.17), 17: (0.79, 0.19),
}  # fmt: skip
"""Number of a point and where it is, in shares of the picture."""
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17),
)  # fmt: skip
DIRECTIONS = (12, 20, 14, 16, 22, 24, 0, 2, 4, 6, 8, 10, 28, 30, 34, 32, 36, 18, 26)
PEOPLE = (dict(enumerate(WHOLE)), HALF)


def body_answers(height: int, width: int) -> tuple[Numbers, Numbers]:
    """Maps of limbs (38, height, width) and of points (19, height, width)."""
    down, across = np.mgrid[:height, :width] + 0.5
    limbs, points = np.zeros((38, height, width)), np.zeros((19, height, width))
    for person in PEOPLE:
        for number, (x, y) in person.items():
            points[number] = np.maximum(points[number], _spot(across - x * width, down - y * height, 1.3))
        for (first, second), place in zip(LIMBS, DIRECTIONS, strict=True):
            if first in person and second in person:
                (ax, ay), (bx, by) = ((x * width, y * height) for x, y in (person[first], person[second]))
                way = np.array([bx - ax, by - ay]) / max(np.hypot(bx - ax, by - ay), 1e-6)
                along = (across - ax) * way[0] + (down - ay) * way[1]
                aside = np.abs((across - ax) * way[1] - (down - ay) * way[0])
                near = (along > -1) & (along < np.hypot(bx - ax, by - ay) + 1) & (aside < 1.2)
                limbs[place] = np.where(near, way[0], limbs[place])
                limbs[place + 1] = np.where(near, way[1], limbs[place + 1])
    wobble = np.random.RandomState(5).uniform(-0.02, 0.02, limbs.shape)
    return (limbs + wobble).astype(np.float32), points.astype(np.float32)


def part_answers(height: int, width: int, maps: int) -> Numbers:
    """Maps of the points of a hand or a face, spread over it; every seventh is not seen."""
    down, across = np.mgrid[:height, :width] + 0.5
    draws = np.random.RandomState(maps)
    found = []
    for number, (x, y) in enumerate(draws.uniform(0.1, 0.9, (maps, 2))):
        spot = _spot(across - x * width, down - y * height, max(height, width) / 18)
        found.append(spot * (0.01 if number % 7 == 6 else 0.8))
    return np.stack(found).astype(np.float32)


def _spot(across: Numbers, down: Numbers, width: float) -> Numbers:
    return np.asarray(np.exp(-(across**2 + down**2) / (2 * width**2)))


BOXES = ((0.05, 0.02, 0.52, 0.98), (0.55, 0.05, 0.98, 0.72))
"""Around the two people: left, top, right and bottom, in shares of the picture."""
SIDE, SIZE = 640, (288, 384)
"""What YOLOX and DWPose see: a square, and width and height."""
_STRIDES = (8, 16, 32)


def detector_answers(height: int, width: int) -> Numbers:
    """What YOLOX would say of that picture (8400, 85): each person thrice, once too unsure, and a dog."""
    ratio = min(SIDE / height, SIDE / width)
    answers = np.zeros((sum((SIDE // stride) ** 2 for stride in _STRIDES), 85), np.float32)
    answers[:, 2:4] = -1
    for number, (left, top, right, bottom) in enumerate((*BOXES, (0.1, 0.6, 0.4, 0.9))):
        box = np.array([left * width, top * height, right * width, bottom * height]) * ratio
        for stride, shift, sure in ((16, 0, 0.9), (16, 1, 0.8), (32, 0, 0.85), (8, 2, 0.25)):
            column, row = int((box[0] + box[2]) / 2 // stride) + shift, int((box[1] + box[3]) / 2 // stride)
            before = sum((SIDE // other) ** 2 for other in _STRIDES if other < stride)
            place = before + row * (SIDE // stride) + column
            answers[place, 0] = (box[0] + box[2]) / 2 / stride - column
            answers[place, 1] = (box[1] + box[3]) / 2 / stride - row
            answers[place, 2] = np.log((box[2] - box[0]) / stride)
            answers[place, 3] = np.log((box[3] - box[1]) / stride)
            answers[place, 4] = sure
            answers[place, 5 if number < len(BOXES) else 21] = 0.95
    return answers


def whole_body_answers() -> tuple[Numbers, Numbers]:
    """What DWPose would say of a person: how likely each of 133 points is across (133, 576) and down (133, 768)."""
    width, height = SIZE
    draws = np.random.RandomState(133)
    body = [WHOLE[place] for place in (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)]
    places = [((x - 0.02) / 0.5, y) for x, y in body]
    places += [(x, 0.95) for x in draws.uniform(0.3, 0.7, 6)]
    places += list(zip(draws.uniform(0.4, 0.6, 68), draws.uniform(0.05, 0.25, 68), strict=True))
    places += list(zip(draws.uniform(0.05, 0.3, 42), draws.uniform(0.4, 0.7, 42), strict=True))
    chance = draws.uniform(0.35, 0.95, len(places))
    chance[::11] = 0.2
    chance[5] = 0.9
    bins = [np.arange(2 * side) for side in (width, height)]
    across = [_bump(bins[0], 2 * width * x) * sure for (x, _), sure in zip(places, chance, strict=True)]
    down = [_bump(bins[1], 2 * height * y) * sure * 0.97 for (_, y), sure in zip(places, chance, strict=True)]
    return np.stack(across).astype(np.float32), np.stack(down).astype(np.float32)


def _bump(bins: Numbers, middle: float) -> Numbers:
    return np.asarray(np.exp(-((bins - middle) ** 2) / 72))

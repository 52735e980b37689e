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

"""From OpenPose's maps to people: their points, and which of them belong together.

The steps and numbers are those of the ControlNet extension 1.1.455.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.floating]
"""Shape (height, width, maps)."""
Point = tuple[float, float]
"""Across and down, in pixels."""

POINTS = 18
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17),
)  # fmt: skip
"""The two points of each limb."""
DIRECTIONS = (
    (12, 13), (20, 21), (14, 15), (16, 17), (22, 23), (24, 25), (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11),
    (28, 29), (30, 31), (34, 35), (32, 33), (36, 37), (18, 19), (26, 27),
)  # fmt: skip
"""The maps with each limb's direction across and down."""
BEGINNING = 17
"""Limbs before this one may be the first of a person."""
LEAST_PEAK, LEAST_ALONG, SAMPLES = 0.1, 0.05, 10
LEAST_POINTS, LEAST_MEAN = 4, 0.4
"""Of a person: how many points, and how sure they are on average."""
MOST_PEAKS = 100
"""Places where a point may be; of more, the surest count. The extension's work would have no end."""


@dataclass(frozen=True)
class Peak:
    """A place where a point of somebody may be."""

    across: int
    down: int
    score: float
    number: int


@dataclass
class Person:
    """Points that belong together."""

    points: list[Peak | None]
    score: float
    count: int


def found_people(heat: Maps, limbs: Maps) -> list[list[Point | None]]:
    """The POINTS points of each person; None where one is not seen."""
    peaks = _all_peaks(heat)
    people: list[Person] = []
    for number, ((first, second), maps) in enumerate(zip(LIMBS, DIRECTIONS, strict=True)):
        joined = _joined(peaks[first], peaks[second], limbs[:, :, list(maps)], height=heat.shape[0])
        for one, two, score in joined:
            _add_limb(people, (first, second), (one, two), score, begins=number < BEGINNING)
    return [
        [None if one is None else (one.across, one.down) for one in person.points]
        for person in people
        if person.count >= LEAST_POINTS and person.score / person.count >= LEAST_MEAN
    ]


def smooth(heat: Maps) -> Maps:
    """Blurred by three pixels, the edges mirrored."""
    return np.asarray(cv2.GaussianBlur(heat, (25, 25), 3, borderType=cv2.BORDER_REFLECT))


def _all_peaks(heat: Maps) -> list[list[Peak]]:
    found: list[list[Peak]] = []
    count = 0
    for part in range(POINTS):
        peaks = _peaks(heat[:, :, part], begins=count)
        found.append(peaks)
        count += len(peaks)
    return found


def _peaks(heat: Maps, *, begins: int) -> list[Peak]:
    blurred = smooth(np.ascontiguousarray(heat, dtype=np.float64))
    around = np.pad(blurred, 1)
    beside = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    down, across = np.nonzero(np.logical_and.reduce([*(blurred >= one for one in beside), blurred > LEAST_PEAK]))
    surest = np.sort(np.argsort(-heat[down, across], kind="stable")[:MOST_PEAKS])
    return [
        Peak(int(across[place]), int(down[place]), float(heat[down[place], across[place]]), begins + number)
        for number, place in enumerate(surest)
    ]


def _joined(
    ones: Sequence[Peak], twos: Sequence[Peak], directions: Maps, *, height: int
) -> list[tuple[Peak, Peak, float]]:
    """The pairs of points between which there is a limb, the surest first, each point once."""
    scored = [
        (one, two, score)
        for one in ones
        for two in twos
        if (score := _along(one, two, directions, height=height)) is not None
    ]
    kept: list[tuple[Peak, Peak, float]] = []
    for one, two, score in sorted(scored, key=lambda pair: pair[2], reverse=True):
        if all(one is not other and two is not another for other, another, _ in kept):
            kept.append((one, two, score))
    return kept


def _along(one: Peak, two: Peak, directions: Maps, *, height: int) -> float | None:
    """How well the directions agree with a limb between two points; None: not well enough."""
    across, down = two.across - one.across, two.down - one.down
    length = max(0.001, math.hypot(across, down))
    columns = np.rint(np.linspace(one.across, two.across, num=SAMPLES)).astype(int)
    rows = np.rint(np.linspace(one.down, two.down, num=SAMPLES)).astype(int)
    seen = directions[rows, columns]
    agreeing = seen[:, 0] * (across / length) + seen[:, 1] * (down / length)
    score = float(agreeing.sum()) / SAMPLES + min(0.5 * height / length - 1, 0)
    return score if int((agreeing > LEAST_ALONG).sum()) > 0.8 * SAMPLES and score > 0 else None


def _add_limb(
    people: list[Person], places: tuple[int, int], peaks: tuple[Peak, Peak], score: float, *, begins: bool
) -> None:
    """Add a limb to whom it belongs; two people whom it joins become one."""
    (first, second), (one, two) = places, peaks
    owners = [person for person in people if person.points[first] is one or person.points[second] is two]
    if not owners:
        if begins:
            points: list[Peak | None] = [None] * POINTS
            points[first], points[second] = one, two
            people.append(Person(points, one.score + two.score + score, 2))
        return
    owner = owners[0]
    if len(owners) > 1:
        other = owners[1]
        if not any(
            mine is not None and theirs is not None for mine, theirs in zip(owner.points, other.points, strict=True)
        ):
            owner.points = [mine or theirs for mine, theirs in zip(owner.points, other.points, strict=True)]
            owner.score += other.score + score
            owner.count += other.count
            people[:] = [person for person in people if person is not other]
            return
    elif owner.points[second] is two:
        return
    owner.points[second] = two
    owner.score += two.score + score
    owner.count += 1

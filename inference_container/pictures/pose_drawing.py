"""Draws people's poses as the ControlNet extension 1.1.455 draws them: sticks and dots on black."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from inference_container.pictures.control_maps import Bytes
from inference_container.pictures.pose_points import LIMBS, Point

DRAWN_LIMBS = LIMBS[:17]
THICKNESS, DOT, FACE_DOT = 4, 4, 3
DIMMED = 0.6
"""Sticks are darker than dots."""
COLORS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
FINGERS = [pair for finger in range(5) for pair in pairwise((0, *range(4 * finger + 1, 4 * finger + 5)))]
"""The two points of each bone of a hand."""
HAND_DOT, FACE_COLOR = (0, 0, 255), (255, 255, 255)
_NEAR_EDGE = 0.01
"""Points of hands and faces at the picture's left or upper edge are not drawn."""


@dataclass(frozen=True)
class Pose:
    """A person's points, in shares of the picture's width and height."""

    body: Sequence[Point | None]
    hands: Sequence[Sequence[Point | None]] = ()
    face: Sequence[Point | None] = ()


def drawn_poses(poses: Sequence[Pose], *, width: int, height: int, bodies: bool = True) -> Bytes:
    """All people on black; `bodies`: with more than hands and faces."""
    canvas: Bytes = np.zeros((height, width, 3), dtype=np.uint8)
    for pose in poses:
        if bodies:
            _draw_body(canvas, pose.body)
        for hand in pose.hands:
            _draw_hand(canvas, hand)
        for place in _placed(canvas, pose.face):
            if place is not None:
                cv2.circle(canvas, place, FACE_DOT, FACE_COLOR, thickness=-1)
    return canvas


def _draw_body(canvas: Bytes, points: Sequence[Point | None]) -> None:
    height, width, _ = canvas.shape
    for (first, second), color in zip(DRAWN_LIMBS, COLORS, strict=False):
        one, two = points[first], points[second]
        if one is None or two is None:
            continue
        across, down = (one[0] * width, two[0] * width), (one[1] * height, two[1] * height)
        length = ((down[0] - down[1]) ** 2 + (across[0] - across[1]) ** 2) ** 0.5
        angle = math.degrees(math.atan2(down[0] - down[1], across[0] - across[1]))
        middle = int((across[0] + across[1]) / 2), int((down[0] + down[1]) / 2)
        stick = cv2.ellipse2Poly(middle, (int(length / 2), THICKNESS), int(angle), 0, 360, 1)
        cv2.fillConvexPoly(canvas, stick, [int(DIMMED * channel) for channel in color])
    for point, color in zip(points, COLORS, strict=True):
        if point is not None:
            cv2.circle(canvas, (int(point[0] * width), int(point[1] * height)), DOT, color, thickness=-1)


def _draw_hand(canvas: Bytes, points: Sequence[Point | None]) -> None:
    places = _placed(canvas, points)
    for number, (first, second) in enumerate(FINGERS):
        one, two = places[first], places[second]
        if one is not None and two is not None:
            color = [255 * channel for channel in colorsys.hsv_to_rgb(number / len(FINGERS), 1.0, 1.0)]
            cv2.line(canvas, one, two, color, thickness=2)
    for place in places:
        if place is not None:
            cv2.circle(canvas, place, DOT, HAND_DOT, thickness=-1)


def _placed(canvas: Bytes, points: Sequence[Point | None]) -> list[tuple[int, int] | None]:
    """In pixels; None for a point that is not seen, or at the picture's left or upper edge."""
    height, width, _ = canvas.shape
    places = [None if one is None else (int(one[0] * width), int(one[1] * height)) for one in points]
    return [place if place is not None and min(place) > _NEAR_EDGE else None for place in places]

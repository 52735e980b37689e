"""Finds people's bodies, hands and faces with OpenPose's networks, as the ControlNet extension 1.1.455 does."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from inference_container.pictures.control_maps import Bytes
from inference_container.pictures.pose_drawing import Pose
from inference_container.pictures.pose_points import Maps, Point, found_people, smooth

See = Callable[[Tensor], list[Tensor]]
"""A network: from a picture (h, w, 3) to its answers without the first axis."""
Box = tuple[int, int, int]
"""A square: left, top and side, in pixels."""

BODY_HEIGHT, STRIDE, PAD = 184, 8, 128
HAND_SIDES, HAND_MAP, LEAST_HAND = (184, 368, 552, 736), 128, 0.05
HAND_POINTS = 21
FACE_SIDE, LEAST_FACE = 384, 0.05
LEAST_BOX = 20
LEFT_ARM, RIGHT_ARM = (5, 6, 7), (2, 3, 4)
"""Shoulder, elbow and wrist."""
NOSE, EYES, EARS = 0, (14, 15), (16, 17)
NOWHERE = -1
"""Of a point that is not seen."""


def found_poses(picture: Bytes, *, body: See, hand: See | None = None, face: See | None = None) -> list[Pose]:
    """The people in an RGB picture; their hands and faces too, if there is a network for them."""
    shown = np.ascontiguousarray(picture[:, :, ::-1])
    height, width, _ = shown.shape
    return [
        Pose(
            body=[None if one is None else (one[0] / width, one[1] / height) for one in points],
            hands=[] if hand is None else _hands(shown, points, hand),
            face=[] if face is None else _face(shown, points, face),
        )
        for points in _bodies(shown, body)
    ]


def _bodies(shown: Bytes, see: See) -> list[list[Point | None]]:
    height, width, _ = shown.shape
    scale = BODY_HEIGHT / height
    small = _resized(shown, width * scale, height * scale)
    padded = np.pad(small, ((0, -small.shape[0] % STRIDE), (0, -small.shape[1] % STRIDE), (0, 0)), constant_values=PAD)
    limbs, points = (
        _grown(answer.numpy().transpose(1, 2, 0), inside=small.shape[:2], size=(width, height))
        for answer in see(_as_input(padded))
    )
    return found_people(points, limbs)


def _hands(shown: Bytes, points: Sequence[Point | None], see: See) -> list[list[Point]]:
    """The HAND_POINTS points of each hand, the left one first."""
    found = []
    for arm in (LEFT_ARM, RIGHT_ARM):
        box = _hand_box(shown, [points[place] for place in arm])
        if box is not None:
            found.append(_placed(_hand_points(_cut(shown, box), see), box, shown))
    return found


def _hand_box(shown: Bytes, arm: Sequence[Point | None]) -> Box | None:
    shoulder, elbow, wrist = arm
    if shoulder is None or elbow is None or wrist is None:
        return None
    height, width, _ = shown.shape
    side = 1.5 * max(math.dist(wrist, elbow), 0.9 * math.dist(elbow, shoulder))
    left, top = (max(0.0, w + 0.33 * (w - e) - side / 2) for w, e in zip(wrist, elbow, strict=True))
    side = min(
        width - left if left + side > width else side,
        height - top if top + side > height else side,
    )
    return (int(left), int(top), int(side)) if side >= LEAST_BOX else None


def _hand_points(part: Bytes, see: See) -> list[tuple[int, int]]:
    side = part.shape[0]
    blurred = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.8), dtype=np.uint8)
    maps: Maps = np.zeros((HAND_MAP, HAND_MAP, HAND_POINTS + 1))
    for length in HAND_SIDES:
        (answer,) = see(_as_input(_resized(blurred, length, length)))
        heat = _each(answer.numpy().transpose(1, 2, 0), answer.shape[2] * STRIDE, answer.shape[1] * STRIDE)
        maps = maps + _each(heat, HAND_MAP, HAND_MAP) / len(HAND_SIDES)
    found = []
    for part_map in np.moveaxis(maps[:, :, :HAND_POINTS], 2, 0):
        place = _surest_place(np.ascontiguousarray(part_map))
        found.append((0, 0) if place is None else tuple(int(one * side / HAND_MAP) for one in place))
    return found  # type: ignore[return-value]


def _surest_place(heat: npt.NDArray[np.floating]) -> tuple[int, int] | None:
    """Across and down of the highest place in the region with the largest sum."""
    sure = np.ascontiguousarray(smooth(heat) > LEAST_HAND, dtype=np.uint8)
    if not sure.any():
        return None
    count, regions = cv2.connectedComponents(sure, connectivity=8)
    best = 1 + int(np.argmax([heat[regions == number].sum() for number in range(1, count)]))
    down, across = np.unravel_index(np.argmax(np.where(regions == best, heat, 0)), heat.shape)
    return int(across), int(down)


def _face(shown: Bytes, points: Sequence[Point | None], see: See) -> list[Point]:
    box = _face_box(shown, points)
    if box is None:
        return []
    part = _cut(shown, box)
    (answer,) = see(_as_input(_resized(part, FACE_SIDE, FACE_SIDE)))
    maps = interpolate(answer[None], part.shape[:2], mode="bilinear", align_corners=True)[0].numpy()
    found = []
    for heat in maps:
        down, across = np.unravel_index(np.argmax(heat), heat.shape)
        if heat[down, across] > LEAST_FACE:
            found.append((int(across), int(down)))
    return _placed(found, box, shown)


def _face_box(shown: Bytes, points: Sequence[Point | None]) -> Box | None:
    nose = points[NOSE]
    if nose is None:
        return None
    reaches = [
        factor * max(abs(nose[0] - other[0]), abs(nose[1] - other[1]))
        for places, factor in ((EYES, 3.0), (EARS, 1.5))
        for place in places
        if (other := points[place]) is not None
    ]
    if not reaches:
        return None
    height, width, _ = shown.shape
    reach = max(reaches)
    left, top = max(0.0, nose[0] - reach), max(0.0, nose[1] - reach)
    side = min(
        width - left if left + reach > width else 2 * reach,
        height - top if top + reach > height else 2 * reach,
    )
    return (int(left), int(top), int(side)) if side >= LEAST_BOX else None


def _cut(shown: Bytes, box: Box) -> Bytes:
    left, top, side = box
    return shown[top : top + side, left : left + side]


def _placed(found: Sequence[tuple[int, int]], box: Box, shown: Bytes) -> list[Point]:
    """Places in a box as shares of the whole picture; those at its left or upper edge are nowhere."""
    height, width, _ = shown.shape
    left, top, _ = box
    return [
        (
            float(np.float32(NOWHERE if across < 1 else across + left) / np.float32(width)),
            float(np.float32(NOWHERE if down < 1 else down + top) / np.float32(height)),
        )
        for across, down in found
    ]


def _as_input(picture: npt.NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).float() / 256 - 0.5


def _grown(maps: Maps, *, inside: Sequence[int], size: tuple[int, int]) -> Maps:
    """A network's answer at the picture's size, without what was padded."""
    grown = _each(maps, maps.shape[1] * STRIDE, maps.shape[0] * STRIDE)
    return _each(grown[: inside[0], : inside[1]], *size).astype(np.float64)


def _each(maps: Maps, width: float, height: float) -> Maps:
    return np.stack([_resized(maps[:, :, one], width, height) for one in range(maps.shape[2])], axis=2)


def _resized(picture: npt.NDArray[np.generic], width: float, height: float) -> npt.NDArray[np.generic]:
    """Shrunk by areas or grown by Lanczos."""
    shrinks = width + height < sum(picture.shape[:2])
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (int(width), int(height)), interpolation=way))

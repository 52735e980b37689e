"""People and their points as YOLOX and DWPose see them: what the networks are shown, and what their answers mean.

The steps and numbers are those of the ControlNet extension 1.1.455.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from inference_container.pictures.control_maps import Bytes
from inference_container.pictures.pixels import IMAGENET_MEANS, IMAGENET_SPREADS
from inference_container.pictures.pose_drawing import Pose
from inference_container.pictures.pose_points import Point

Numbers = npt.NDArray[np.floating]
Size = tuple[int, int]
"""Width and height in pixels."""

GREY = 114
"""Where YOLOX's square has no picture."""
STRIDES = (8, 16, 32)
PERSON = 0
"""COCO's class."""
LEAST_SURE, LEAST_SHOWN, MOST_COMMON = 0.1, 0.3, 0.45
"""Of a box: how sure the network is that it may be one, and that it is one; the share that it may have in common."""
MOST_PEOPLE = 100
"""Of more, the surest count. The extension's work would have no end."""
MARGIN, BINS = 1.25, 2.0
SHOULDERS, NECK = [5, 6], 17
SEEN = 0.3
"""How sure the network is of a point that is drawn."""
_AS_OPENPOSE = [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
"""OpenPose's 18 points by their places among COCO's with the neck."""
EYES = (14, 15)
FACE, LEFT_HAND, RIGHT_HAND = slice(24, 92), slice(92, 113), slice(113, 134)
"""With the neck among the points."""


def as_square(picture: Bytes, side: int) -> npt.NDArray[np.float32]:
    """The picture as YOLOX sees it, (1, 3, side, side): in the upper left corner of a grey square."""
    height, width, _ = picture.shape
    ratio = min(side / height, side / width)
    across, down = int(width * ratio), int(height * ratio)
    square = np.full((side, side, 3), GREY, dtype=np.uint8)
    square[:down, :across] = cv2.resize(picture, (across, down), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(square.transpose(2, 0, 1), dtype=np.float32)[None]


def people_boxes(answer: Numbers, side: int, picture: Size) -> Numbers | None:
    """The boxes around people (n, 4: left, top, right, bottom) in pixels, the surest first; None: nothing is seen.

    `answer` (places, 85) is YOLOX's of a square of `side` pixels. Where something is seen but nobody, the whole picture
    is the only box.
    """
    width, height = picture
    boxes, sure = _boxes(answer, side, ratio=min(side / height, side / width))
    if not (sure > LEAST_SURE).any():
        return None
    likely = np.nonzero(sure[:, PERSON] > LEAST_SURE)[0]
    kept = [place for place in _apart(boxes[likely], sure[likely, PERSON]) if sure[likely[place], PERSON] > LEAST_SHOWN]
    found = boxes[likely[kept[:MOST_PEOPLE]]].astype(np.float64)
    return found if len(found) else np.array([[0.0, 0, width, height]])


def _boxes(answer: Numbers, side: int, *, ratio: float) -> tuple[Numbers, Numbers]:
    """Each place's box in the picture, and how sure each class is."""
    corners, strides = [], []
    for stride in STRIDES:
        count = side // stride
        across, down = np.meshgrid(np.arange(count), np.arange(count))
        corners.append(np.stack((across, down), axis=2).reshape(-1, 2))
        strides.append(np.full((count * count, 1), stride))
    grid, stride_of = np.concatenate(corners), np.concatenate(strides)
    middles = ((answer[:, :2] + grid) * stride_of).astype(answer.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = (np.exp(answer[:, 2:4]) * stride_of).astype(answer.dtype)
        boxes = np.concatenate([middles - sizes / 2.0, middles + sizes / 2.0], axis=1) / ratio
    sure = answer[:, 4:5] * answer[:, 5:]
    sure[~np.isfinite(boxes).all(axis=1)] = 0
    return boxes, sure


def _apart(boxes: Numbers, sure: Numbers) -> list[int]:
    """The boxes, the surest first, that do not have too much in common with a surer one."""
    left, top, right, bottom = boxes.T
    areas = (right - left + 1) * (bottom - top + 1)
    order = sure.argsort()[::-1]
    kept = []
    while order.size:
        first, rest = order[0], order[1:]
        kept.append(int(first))
        across = np.maximum(0.0, np.minimum(right[first], right[rest]) - np.maximum(left[first], left[rest]) + 1)
        down = np.maximum(0.0, np.minimum(bottom[first], bottom[rest]) - np.maximum(top[first], top[rest]) + 1)
        common = across * down
        order = rest[common / (areas[first] + areas[rest] - common) <= MOST_COMMON]
    return kept


def cut_people(picture: Bytes, boxes: Numbers, size: Size) -> tuple[npt.NDArray[np.float32], Numbers, Numbers]:
    """What DWPose sees of each box, (n, 3, height, width), with the middles and sizes of what was cut out (n, 2)."""
    width, height = size
    middles = np.array([[left + right, top + bottom] for left, top, right, bottom in boxes]) * 0.5
    sizes = np.array([_of_shape(box, width / height) for box in boxes])
    cuts = [_cut(picture, middle, whole, size) for middle, whole in zip(middles, sizes, strict=True)]
    shown = np.stack(cuts).transpose(0, 3, 1, 2)
    return shown.astype(np.float32), middles, sizes


def _of_shape(box: Numbers, ratio: float) -> tuple[float, float]:
    """The size of a box with its margin, grown to `ratio`."""
    across, down = (box[2] - box[0]) * MARGIN, (box[3] - box[1]) * MARGIN
    return (across, across / ratio) if across > down * ratio else (down * ratio, down)


def _cut(picture: Bytes, middle: Numbers, whole: Numbers, size: Size) -> Numbers:
    width, height = size
    corner = np.asarray(middle, dtype=np.float32)
    above = np.asarray(middle + np.array([0, whole[0] * -0.5]), dtype=np.float32)
    target = np.array([width * 0.5, height * 0.5], dtype=np.float32)
    over = np.array([width * 0.5, height * 0.5 + width * -0.5], dtype=np.float32)
    here = np.stack([corner, above, _third(corner, above)])
    there = np.stack([target, over, _third(target, over)])
    cut = cv2.warpAffine(picture, cv2.getAffineTransform(here, there), size, flags=cv2.INTER_LINEAR)
    return np.asarray((cut - IMAGENET_MEANS) / IMAGENET_SPREADS)


def _third(one: Numbers, two: Numbers) -> Numbers:
    """The point with which two others make a right angle at the second."""
    across, down = one - two
    return np.asarray(two + np.array([-down, across], dtype=np.float32), dtype=np.float32)


def whole_body_poses(
    answers: Sequence[Numbers], middles: Numbers, sizes: Numbers, size: Size, shown: Size
) -> list[Pose]:
    """The people in a picture of the size `shown`, from how likely DWPose finds each place across and down."""
    across, down = answers
    places, sure = _surest(across, down)
    points = places / BINS / np.array(size) * sizes[:, None] + middles[:, None] - sizes[:, None] / 2
    found = np.concatenate([points, sure[..., None]], axis=2)
    return [_pose(_with_neck(person), shown) for person in found]


def _surest(across: Numbers, down: Numbers) -> tuple[Numbers, Numbers]:
    """The place of each point (n, points, 2) and how sure it is (n, points)."""
    places = np.stack([across.argmax(axis=2), down.argmax(axis=2)], axis=2).astype(np.float32)
    sure = np.minimum(across.max(axis=2), down.max(axis=2))
    places[sure <= 0] = -1
    return places, sure


def _with_neck(person: Numbers) -> Numbers:
    neck = person[SHOULDERS].mean(axis=0)
    neck[2] = (person[SHOULDERS, 2] > SEEN).all()
    return np.insert(person, NECK, neck, axis=0)


def _pose(person: Numbers, shown: Size) -> Pose:
    body = _points(person[_AS_OPENPOSE], shown)
    face = _points(person[FACE], shown)
    hands = [_points(person[part], shown) for part in (LEFT_HAND, RIGHT_HAND)]
    # DWPose's face lacks the eyes' middles, which OpenPose's has.
    return Pose(body, hands, [*face, *(body[eye] for eye in EYES)] if any(face) else [])


def _points(person: Numbers, shown: Size) -> list[Point | None]:
    return [
        (float(across) / shown[0], float(down) / shown[1]) if sure >= SEEN else None for across, down, sure in person
    ]

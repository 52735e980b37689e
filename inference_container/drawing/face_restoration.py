"""Restores the faces in a picture: finds them, turns each upright, restores it and blends it in where it was.

The steps, sizes and points are those of WebUI 1.10.1, which uses facexlib 0.3.0 for them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.faces import (
    SIDE,
    CodeFormer,
    FaceDetector,
    FaceGenerator,
    FaceParser,
    load_codeformer,
    load_face_detector,
    load_face_generator,
    load_face_parser,
)
from inference_container.progress import JobProgress
from inference_container.task import TaskInput

SEARCHED = 640
"""Shorter side of the picture that faces are looked for in."""
LEAST_EYE_DISTANCE = 5
"""Pixels between the eyes of the smallest face that is restored; also leaves out faces seen from the side."""
UPRIGHT = np.array(
    (
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    )
)
"""Where eyes, nose and the mouth's corners are in the pictures that restoring networks are trained on."""
GREY = (135, 133, 132)
"""What lies outside the picture, blue first."""
AREA = 3
"""OpenCV's number for the interpolation with which outlines are turned back."""

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]
Part = TypeVar("Part", FaceDetector, FaceGenerator, CodeFormer, FaceParser)


@dataclass(frozen=True)
class FaceRestorer:
    """Restores all faces of a picture; `on_face` is called before each, and may stop the work by an exception."""

    detector: FaceDetector
    restore: Callable[[Pixels], Pixels]
    """Restores a face of SIDE×SIDE pixels."""
    parser: FaceParser
    on_face: Callable[[], None]

    def __call__(self, image: Image.Image) -> Image.Image:
        """The RGB picture with its faces restored; the same pixels if there are none."""
        shown = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        # 1. Find all faces before the first is changed.
        turns = [_turn_upright(points) for points in self._faces(shown)]
        size = (shown.shape[1], shown.shape[0])
        blended: Numbers | Pixels = shown
        for turn in turns:
            self.on_face()
            # 2. Cut one out, restore it, and turn it back.
            cut = cv2.warpAffine(shown, turn, (SIDE, SIDE), borderMode=cv2.BORDER_CONSTANT, borderValue=GREY)
            restored = self.restore(cast(Pixels, cut))
            back = cv2.invertAffineTransform(turn)
            placed = cv2.warpAffine(restored, back, size)
            # 3. Blend it in along its outline.
            outline = cv2.warpAffine(self.parser.outline(restored), back, size, flags=AREA)[:, :, None]
            blended = outline * placed + (1 - outline) * blended
        return Image.fromarray(np.ascontiguousarray(blended.astype(np.uint8)[:, :, ::-1]))

    def _faces(self, shown: Pixels) -> list[Numbers]:
        """The five points of each face, (5, 2), in pixels."""
        height, width = shown.shape[:2]
        scale = min(height, width) / SEARCHED
        resized = cv2.resize(shown, (int(width / scale), int(height / scale)), interpolation=cv2.INTER_LANCZOS4)
        found = self.detector.find(cast(Pixels, resized)) * scale
        points = [face[5:].reshape(5, 2) for face in found]
        return [one for one in points if np.linalg.norm(one[0] - one[1]) >= LEAST_EYE_DISTANCE]


def _turn_upright(points: Numbers) -> Any:
    """The turn, scale and shift that bring a face's points to UPRIGHT, 2×3."""
    return cv2.estimateAffinePartial2D(points, UPRIGHT, method=cv2.LMEDS)[0]


def request_face_restorer(job: TaskInput, model: str, weight: float, *, progress: JobProgress) -> FaceRestorer:
    """The restorer made of the job's files: `model` is GFPGAN or CodeFormer, `weight` how true the latter stays.

    Raises:
        JobFailed: asset_missing, asset_corrupt or asset_incompatible, if a file is not available or not usable.
    """
    with progress.phase(JobPhase.LOADING_MODELS):
        restore: Callable[[Pixels], Pixels]
        if model == Family.CODEFORMER:
            restore = partial(_part(job, Family.CODEFORMER, load_codeformer).restore, weight=weight)
        else:
            restore = _part(job, Family.GFPGAN, load_face_generator).restore
        return FaceRestorer(
            _part(job, Family.FACE_DETECTOR, load_face_detector),
            restore,
            _part(job, Family.FACE_PARSER, load_face_parser),
            progress.check,
        )


def drawing_face_restorer(job: TaskInput, params: ImageParams, *, progress: JobProgress) -> FaceRestorer | None:
    """The restorer of what is drawn, as options choose it; None: faces stay as they are. Raises as above."""
    if not params.restores_faces():
        return None
    options = params.options
    return request_face_restorer(job, options.face_restoration_model, options.code_former_weight, progress=progress)


def _part(job: TaskInput, family: Family, load: Callable[..., Part]) -> Part:
    file = job.files.named(AssetType.FACE_RESTORATION, str(family))
    return job.models.get(file, partial(load, device=job.models.device), kind=str(family))

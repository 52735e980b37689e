"""The networks of ControlNet's preprocessors: which file each is, and how to tell files apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.foreign_models import adapter
from generate_on_cloud.model_files.refusals import RefusedFileError


@dataclass(frozen=True)
class PreprocessorFile:
    """What a file with a network of the ControlNet extension holds."""

    family: Family
    called: str = ""
    """A pattern of its stem, where files with other weights hold the same network."""

    def is_meant(self, *, family: str | None, stem: str) -> bool:
        """Whether a file that holds `family` and is called `stem` may be used for it."""
        return family == self.family and re.search(self.called, stem, re.IGNORECASE) is not None


PREPROCESSOR_FILES: Mapping[str, PreprocessorFile] = MappingProxyType(
    {
        "depth_anything_vitl14.pth": PreprocessorFile(Family.DEPTH_ANYTHING, r"depth.?anything(?!.?v?2)"),
        "depth_anything_v2_vitl.pth": PreprocessorFile(Family.DEPTH_ANYTHING, r"depth.?anything.?v2"),
        "dpt_hybrid-midas-501f0c75.pt": PreprocessorFile(Family.MIDAS),
        "upernet_global_small.pth": PreprocessorFile(Family.SEGMENTER),
        "scannet.pt": PreprocessorFile(Family.SURFACE_NORMALS),
        "ControlNetHED.pth": PreprocessorFile(Family.HED),
        "sk_model.pth": PreprocessorFile(Family.LINE_DRAWING, r"sk_model(?!2)"),
        "sk_model2.pth": PreprocessorFile(Family.LINE_DRAWING, r"sk_model2"),
        "netG.pth": PreprocessorFile(Family.ANIME_LINES),
        "table5_pidinet.pth": PreprocessorFile(Family.PIDINET),
        "mlsd_large_512_fp32.pth": PreprocessorFile(Family.MLSD),
        "body_pose_model.pth": PreprocessorFile(Family.BODY_POSE),
        "hand_pose_model.pth": PreprocessorFile(Family.HAND_POSE),
        "facenet.pth": PreprocessorFile(Family.FACE_POSE),
        "ControlNetLama.pth": PreprocessorFile(Family.HOLE_FILLER),
        "yolox_l.onnx": PreprocessorFile(Family.PERSON_DETECTOR),
        "dw-ll_ucoco_384.onnx": PreprocessorFile(Family.WHOLE_BODY),
    }
)
"""By the names that the extension gives the files."""
HELD: tuple[Family, ...] = tuple(dict.fromkeys(file.family for file in PREPROCESSOR_FILES.values()))


def preprocessor_family(shapes: Shapes) -> Family:
    """Which of HELD a file is.

    Raises:
        RefusedFileError: none of them.
    """
    found = adapter(shapes)
    if found is Family.PART_POSE:
        found = _PARTS.get(_points(shapes), found)
    if found in HELD:
        return found
    held = found or "no network of a preprocessor"
    raise RefusedFileError(f"it holds {held}; allowed: {', '.join(HELD)}")


_PARTS: Mapping[int, Family] = MappingProxyType({22: Family.HAND_POSE, 71: Family.FACE_POSE})
"""What OpenPose's networks find, by the number of their maps."""
_LAST = "Mconv7_stage6.weight"


def _points(shapes: Shapes) -> int:
    return next((shape[0] for name, shape in shapes.items() if name.endswith(_LAST) and shape), 0)

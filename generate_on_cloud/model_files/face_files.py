"""The files that restore faces, told apart by their tensors' names."""

from collections.abc import Iterable

from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.foreign_models import adapter
from generate_on_cloud.model_files.refusals import RefusedFileError

FACE_PARTS: tuple[Family, ...] = (Family.FACE_DETECTOR, Family.GFPGAN, Family.FACE_PARSER)
"""What restoring faces takes: one file each."""


def face_family_of(names: Iterable[str]) -> Family | None:
    """Which of FACE_PARTS tensors of these names are; None if none of them."""
    found = adapter(names)
    return found if found in FACE_PARTS else None


def face_family(shapes: Shapes) -> Family:
    """Which of FACE_PARTS a file is.

    Raises:
        RefusedFileError: none of them.
    """
    found = adapter(shapes)
    if found in FACE_PARTS:
        return found
    held = found or "no network that restores, finds or outlines faces"
    raise RefusedFileError(f"it holds {held}; allowed: {', '.join(FACE_PARTS)}")

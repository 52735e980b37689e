"""The files that restore faces, told apart by their tensors' names."""

from collections.abc import Iterable

from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.foreign_models import adapter
from generate_on_cloud.model_files.refusals import RefusedFileError

FACE_RESTORERS: tuple[Family, ...] = (Family.GFPGAN, Family.CODEFORMER)
"""By the values of WebUI's option `face_restoration_model`."""
FACE_FILES: tuple[Family, ...] = (Family.FACE_DETECTOR, *FACE_RESTORERS, Family.FACE_PARSER)
NONCOMMERCIAL = (
    f"it holds {Family.CODEFORMER}, whose code and weights are under the S-Lab licence, for non-commercial use only; "
    "a deployment takes it with the option noncommercial_models"
)


def face_parts(restorer: Family) -> tuple[Family, ...]:
    """What restoring faces by one of FACE_RESTORERS takes: one file each."""
    return (Family.FACE_DETECTOR, restorer, Family.FACE_PARSER)


def face_family_of(names: Iterable[str]) -> Family | None:
    """Which of FACE_FILES tensors of these names are; None if none of them."""
    found = adapter(names)
    return found if found in FACE_FILES else None


def face_family(shapes: Shapes) -> Family:
    """Which of FACE_FILES a file is.

    Raises:
        RefusedFileError: none of them.
    """
    found = adapter(shapes)
    if found in FACE_FILES:
        return found
    held = found or "no network that restores, finds or outlines faces"
    raise RefusedFileError(f"it holds {held}; allowed: {', '.join(FACE_FILES)}")


def check_licence(held: str | None, *, noncommercial: bool) -> None:
    """Refuse a file that this deployment may not run; `noncommercial`: its operator chose to run such models.

    Raises:
        RefusedFileError: with the licence and the option.
    """
    if held == Family.CODEFORMER and not noncommercial:
        raise RefusedFileError(NONCOMMERCIAL)

"""Textual inversion embeddings: which tensors of a file are the vectors, and for which text encoder."""

from collections.abc import Mapping
from typing import Any

from generate_on_cloud.model_files.families import Family, Shape, detect_family
from generate_on_cloud.model_files.pickle_calls import Made
from generate_on_cloud.model_files.pickle_names import PARAMETER_DICT
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError

ONLY = ""
"""The key for the text encoder of models that have only one."""
PAIR = frozenset({"clip_l", "clip_g"})
"""The text encoders of Stable Diffusion XL, by their names in embedding files."""
STORED = "string_to_param"
"""The key under which WebUI's own files store the vectors."""
MAX_VECTORS = 75
"""The number of tokens in one chunk of a prompt."""
EXCERPT = 5
_WIDTHS: Mapping[int, Family] = {768: Family.SD1, 1024: Family.SD2}


def stored_vectors(document: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The entries of WebUI's table of vectors, or of the whole document if it has no such table.

    Raises:
        BrokenFileError: the table is something else.
    """
    stored = document.get(STORED, document)
    if isinstance(stored, Made) and stored.by == PARAMETER_DICT:
        stored = stored.state.get("_parameters", {})
    if not isinstance(stored, Mapping):
        found = stored.by if isinstance(stored, Made) else type(stored).__name__
        raise BrokenFileError(f"its {STORED} is a {found}, not a table of vectors")
    return stored


def vector_names(shapes: Mapping[str, Shape]) -> Mapping[str, str]:
    """The names of the vectors' tensors by text encoder: ONLY, or both of PAIR.

    Raises:
        BrokenFileError: the tensors have shapes that vectors cannot have.
        RefusedFileError: the tensors are not those of an embedding.
    """
    if set(shapes) == PAIR:
        names = {name: name for name in shapes}
    elif len(shapes) == 1:
        names = {ONLY: next(iter(shapes))}
    elif (family := detect_family(shapes)) is not Family.UNKNOWN:
        raise RefusedFileError(f"it holds {family.value}, not a textual inversion embedding")
    else:
        found = ", ".join(sorted(shapes)[:EXCERPT]) or "none"
        raise RefusedFileError(f"it holds {len(shapes)} tensors ({found}); allowed: one, or clip_l and clip_g")
    check_vectors({encoder: shapes[name] for encoder, name in names.items()})
    return names


def check_vectors(shapes: Mapping[str, Shape]) -> None:
    """Check that each text encoder's tensor has the shape of vectors: (vectors, width), or (width) for one vector.

    Raises:
        BrokenFileError: a shape differs.
        RefusedFileError: there are too many vectors.
    """
    found = [[1, *shape] if len(shape) == 1 else [*shape] for shape in shapes.values()]
    if any(len(shape) != 2 or 0 in shape for shape in found) or len({shape[0] for shape in found}) > 1:
        raise BrokenFileError(
            f"its embedding has the shapes {found}; allowed: [vectors, width], equally many for each encoder"
        )
    if found[0][0] > MAX_VECTORS:
        raise RefusedFileError(f"its embedding has {found[0][0]} vectors; allowed: 1 to {MAX_VECTORS}")


def inversion_architecture(shapes: Mapping[str, Shape], names: Mapping[str, str]) -> Family | None:
    """The family whose text encoder takes vectors of this width; None if there is no such family."""
    return Family.SDXL if set(names) == PAIR else _WIDTHS.get(shapes[names[ONLY]][-1])

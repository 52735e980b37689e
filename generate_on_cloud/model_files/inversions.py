"""Textual inversion embeddings: which tensors of a file are the vectors, and for which text encoder."""

from collections.abc import Mapping
from typing import Any

from generate_on_cloud.model_files.families import detect_family
from generate_on_cloud.model_files.family_names import Family, Shape
from generate_on_cloud.model_files.pickle_calls import Made
from generate_on_cloud.model_files.pickle_names import PARAMETER_DICT
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError

ONLY = ""
"""The key for the text encoder of models that have only one."""
PAIR = frozenset({"clip_l", "clip_g"})
"""The text encoders of Stable Diffusion XL, by their names in embedding files."""
STORED = "string_to_param"
"""The key under which WebUI's own files store the vectors."""
BUNDLE = "bundle_emb."
"""Prefix of the tensors of embeddings that a network brings along."""
MAX_VECTORS = 75
"""The number of tokens in one chunk of a prompt."""
EXCERPT = 5
_NO_VECTORS = ("string_to_token", "step", "global_step", "name", "sd_checkpoint")
"""Beginnings of the names of tensors that trainers store with the vectors and nothing reads."""
_ENCODERS: Mapping[str, str] = {
    "clip_l": "clip_l",
    "text_encoder": "clip_l",
    "text_encoder_1": "clip_l",
    "text_encoders_0": "clip_l",
    "te1": "clip_l",
    "clip_g": "clip_g",
    "text_encoder_2": "clip_g",
    "text_encoders_1": "clip_g",
    "te2": "clip_g",
}
"""The text encoders of Stable Diffusion XL as trainers spell them; a tensor alone may have any name."""
_UNUSABLE: Mapping[str, str] = {
    "t5": "a T5 text encoder, which no model here has",
    "t5xxl": "a T5 text encoder, which no model here has",
    "clip_l_out": "a text encoder's output, which WebUI has no place for",
    "clip_g_out": "a text encoder's output, which WebUI has no place for",
}
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
    """The names of the vectors' tensors by text encoder: ONLY, or both of PAIR; for files and bundled embeddings.

    Raises:
        BrokenFileError: the tensors have shapes that vectors cannot have.
        RefusedFileError: the tensors are not those of an embedding.
    """
    vectors = [name for name in shapes if not name.startswith(_NO_VECTORS)]
    encoders = {_ENCODERS[last]: name for name in vectors if (last := _last_word(name)) in _ENCODERS}
    unusable = next((name for name in vectors if _last_word(name) in _UNUSABLE), None)
    if unusable is not None:
        raise RefusedFileError(f"its embedding has vectors for {_UNUSABLE[_last_word(unusable)]} ({unusable[:100]})")
    if len(encoders) == len(vectors) == len(PAIR):
        names = encoders
    elif len(vectors) == 1 and detect_family(shapes) in (Family.UNKNOWN, Family.EMBEDDING):
        names = {ONLY: vectors[0]}
    elif (family := detect_family(shapes)) is not Family.UNKNOWN:
        raise RefusedFileError(f"it holds {family.value}, not a textual inversion embedding")
    else:
        found = ", ".join(sorted(shapes)[:EXCERPT]) or "none"
        raise RefusedFileError(f"it holds {len(shapes)} tensors ({found}); allowed: one, or clip_l and clip_g")
    check_vectors({encoder: shapes[name] for encoder, name in names.items()})
    return names


def bundled_names(shapes: Mapping[str, Shape]) -> Mapping[str, Mapping[str, str]]:
    """The names of the vectors' tensors by embedding and text encoder, of names such as `bundle_emb.WORD.clip_l`.

    Raises:
        BrokenFileError, RefusedFileError: as `vector_names`.
    """
    found: dict[str, dict[str, str]] = {}
    for name in shapes:
        word, _, tensor = name.removeprefix(BUNDLE).partition(".")
        if not (word and tensor):
            raise RefusedFileError(f"its tensor {name[:100]!r} is not of an embedding; allowed: {BUNDLE}WORD.clip_l, …")
        found.setdefault(word, {})[tensor] = name
    return {
        word: {
            encoder: tensors[tensor]
            for encoder, tensor in vector_names({tensor: shapes[name] for tensor, name in tensors.items()}).items()
        }
        for word, tensors in found.items()
    }


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


def _last_word(name: str) -> str:
    return name.rpartition(".")[2]

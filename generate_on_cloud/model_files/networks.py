"""Network files (LoRA and its relatives): their layers, their kind, and the model they were made for."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from generate_on_cloud.model_files.architectures import BASES, network_architecture, shown_architecture
from generate_on_cloud.model_files.families import Family, Shape, Shapes, detect_family
from generate_on_cloud.model_files.inversions import ONLY, PAIR, check_vectors
from generate_on_cloud.model_files.network_kinds import KINDS, MAGNITUDE, NetworkKind, kind_of
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.tensor_names import place_of

BUNDLE = "bundle_emb."
"""Prefix of the tensors of embeddings bundled with a network."""
NUMBERS = ("alpha", "scale", "on_input")
"""Parts of a layer that are single numbers."""


@dataclass(frozen=True)
class Network:
    layers: Mapping[str, Mapping[str, str]]
    """For each layer, by kohya's name such as `lora_unet_conv_in`: its tensors' names by part."""
    embeddings: Mapping[str, Mapping[str, str]]
    """The tensors' names of bundled embeddings, by embedding and text encoder."""
    kind: str
    rank: int | None
    """The largest rank of its layers; None for kinds without a rank."""
    architecture: Family | None
    """The family it was made for; None if unknown."""


def read_network(shapes: Shapes, metadata: Mapping[str, str]) -> Network:
    """The network that a file's tensors form.

    Raises:
        BrokenFileError: a number or an embedding in it has an impossible shape.
        RefusedFileError: the file contains something else, a layer of an unknown kind, or a network for a family that
            this version does not draw with.
    """
    layers: dict[str, dict[str, str]] = defaultdict(dict)
    embeddings: dict[str, dict[str, str]] = defaultdict(dict)
    for name in shapes:
        if name.startswith(BUNDLE):
            embedding, encoder = _bundled(name)
            embeddings[embedding][encoder] = name
        else:
            place = place_of(name)
            layers[place.layer][place.part] = name
    for encoders in embeddings.values():
        check_vectors({encoder: shapes[name] for encoder, name in encoders.items()})
    shaped = {layer: {part: shapes[name] for part, name in parts.items()} for layer, parts in layers.items()}
    kinds = _kinds(shaped, shapes)
    for layer, parts in shaped.items():
        _check_numbers(layer, parts)
    shown = shown_architecture(shaped)
    if shown is not None and shown not in BASES:
        raise RefusedFileError(f"it is made for {shown.value}; allowed: one for {', '.join(BASES)}")
    return Network(
        layers,
        embeddings,
        kind=_file_kind(shaped, kinds),
        rank=max((rank for one, kind in kinds.items() if (rank := kind.rank_of(shaped[one]))), default=None),
        architecture=network_architecture(shaped, metadata),
    )


def network_kind(shapes: Shapes) -> str | None:
    """The kind of the network among these tensors; None if there is no network."""
    layers: dict[str, dict[str, Shape]] = defaultdict(dict)
    for name, shape in shapes.items():
        place = place_of(name)
        layers[place.layer][place.part] = shape
    kinds = {layer: kind for layer, parts in layers.items() if (kind := kind_of(parts)) is not None}
    return _file_kind(layers, kinds) if kinds else None


def _kinds(layers: Mapping[str, Mapping[str, Shape]], shapes: Shapes) -> dict[str, NetworkKind]:
    kinds = {layer: kind for layer, parts in layers.items() if (kind := kind_of(parts)) is not None}
    family = detect_family(shapes)
    if not kinds and family not in (Family.UNKNOWN, Family.LORA):
        raise RefusedFileError(f"it holds {family.value}, not a LoRA or one of its relatives")
    if not layers:
        raise RefusedFileError("it holds no network (no tensor changes a layer)")
    odd = next((layer for layer in layers if layer not in kinds), None)
    if odd is not None:
        found, allowed = ", ".join(sorted(layers[odd])), ", ".join(kind.name for kind in KINDS)
        raise RefusedFileError(f"its layer {odd} has {found}, which no network has; allowed: {allowed}")
    return kinds


def _file_kind(layers: Mapping[str, Mapping[str, Shape]], kinds: Mapping[str, NetworkKind]) -> str:
    """The kind of most layers; norms and full differences often accompany another kind."""
    name = Counter(kind.name for kind in kinds.values()).most_common(1)[0][0]
    return f"{name} (DoRA)" if any(MAGNITUDE in parts for parts in layers.values()) else name


def _check_numbers(layer: str, parts: Mapping[str, Shape]) -> None:
    for name in NUMBERS:
        if math.prod(parts.get(name, ())) != 1:
            raise BrokenFileError(f"the {name} of its layer {layer} is not a finite number")


def _bundled(name: str) -> tuple[str, str]:
    """Embedding and text encoder in the name `bundle_emb.NAME.string_to_param.*` or `bundle_emb.NAME.clip_l`."""
    embedding, _, place = name.removeprefix(BUNDLE).partition(".")
    if place.startswith("string_to_param"):
        return embedding, ONLY
    if place not in PAIR:
        raise RefusedFileError(
            f"its tensor {name[:100]!r} is not of an embedding; allowed: …string_to_param.*, …clip_l, …clip_g"
        )
    return embedding, place

"""Network files (LoRA and its relatives): their layers, their kind, and the model they were made for."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from generate_on_cloud.model_files.adapter_metadata import AdapterScale, adapter_scales
from generate_on_cloud.model_files.architectures import BASES, network_architecture
from generate_on_cloud.model_files.families import detect_family
from generate_on_cloud.model_files.family_names import Family, Shape, Shapes
from generate_on_cloud.model_files.foreign_models import foreign_model
from generate_on_cloud.model_files.inversions import BUNDLE, bundled_names
from generate_on_cloud.model_files.network_kinds import KINDS, MAGNITUDES, NetworkKind, kind_of, other_kind
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.tensor_names import LAYER_PREFIXES, place_of

NUMBERS = ("alpha", "scale", "on_input")
"""Parts of a layer that are single numbers."""


_NAMES = (
    "allowed: names of kohya's (lora_unet_…, lora_te…), diffusers' and PEFT's (unet.…, text_encoder.…) and ComfyUI's "
    "(diffusion_model.…, text_encoders.…)"
)


@dataclass(frozen=True)
class Network:
    layers: Mapping[str, Mapping[str, str]]
    """For each layer, by kohya's name such as `lora_unet_conv_in`: its tensors' names by part."""
    embeddings: Mapping[str, Mapping[str, str]]
    """The tensors' names of bundled embeddings, by embedding and text encoder."""
    scales: Mapping[str, float]
    """Factors for ΔW by layer, where the header gives them and the layer has no number for it."""
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
    embeddings = bundled_names({name: shape for name, shape in shapes.items() if name.startswith(BUNDLE)})
    places = {name: place_of(name) for name in shapes if not name.startswith(BUNDLE)}
    layers: dict[str, dict[str, str]] = defaultdict(dict)
    for name, place in places.items():
        layers[place.layer][place.part] = name
    shaped = {layer: {part: shapes[name] for part, name in parts.items()} for layer, parts in layers.items()}
    kinds = _kinds(shaped, shapes)
    for layer, parts in shaped.items():
        _check_numbers(layer, parts)
    foreign = foreign_model(layers)
    if foreign is not None:
        raise RefusedFileError(f"it is made for {foreign.value}; allowed: one for {', '.join(BASES)}")
    if not any(layer.startswith(LAYER_PREFIXES) for layer in layers):
        raise RefusedFileError(f"its layers, such as {next(iter(layers))[:80]!r}, are of no model here; {_NAMES}")
    ranks = {layer: kind.rank_of(shaped[layer]) for layer, kind in kinds.items()}
    paths = {place.layer: place.path for place in places.values()}
    return Network(
        layers,
        embeddings,
        scales=_scales(shaped, ranks, paths, adapter_scales(metadata)),
        kind=_file_kind(shaped, kinds),
        rank=max((rank for rank in ranks.values() if rank), default=None),
        architecture=network_architecture(shaped, metadata),
    )


def _scales(
    layers: Mapping[str, Mapping[str, Shape]],
    ranks: Mapping[str, int | None],
    paths: Mapping[str, str],
    said: Mapping[str, AdapterScale],
) -> dict[str, float]:
    """What the header says about the layers that do not say it themselves."""
    found = {}
    for layer, rank in ranks.items():
        if rank is None or any(number in layers[layer] for number in NUMBERS):
            continue
        model = next((prefix for prefix in said if prefix and layer.startswith(prefix)), "")
        factor = said[model].of(paths[layer], rank)
        if factor is not None:
            found[layer] = factor
    return found


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
    if odd is not None and (other := other_kind(layers[odd])) is not None:
        allowed = ", ".join(kind.name for kind in KINDS)
        raise RefusedFileError(f"its layers are {other}, which WebUI has no formula for; allowed: {allowed}")
    if odd is not None:
        found, allowed = ", ".join(sorted(layers[odd])), ", ".join(kind.name for kind in KINDS)
        raise RefusedFileError(f"its layer {odd} has {found}, which no network has; allowed: {allowed}")
    return kinds


def _file_kind(layers: Mapping[str, Mapping[str, Shape]], kinds: Mapping[str, NetworkKind]) -> str:
    """The kind of most layers; norms and full differences often accompany another kind."""
    name = Counter(kind.name for kind in kinds.values()).most_common(1)[0][0]
    return f"{name} (DoRA)" if any(one in parts for parts in layers.values() for one in MAGNITUDES) else name


def _check_numbers(layer: str, parts: Mapping[str, Shape]) -> None:
    for name in NUMBERS:
        if math.prod(parts.get(name, ())) != 1:
            raise BrokenFileError(f"the {name} of its layer {layer} is not a finite number")

"""A file that changes weights (LoRA and its relatives), read into the parts of each layer (semantics §8.2)."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import corrupt, incompatible, open_tensor_file
from inference_container.networks.inversion_file import ONLY, PAIR, check_vectors
from inference_container.networks.kinds import KINDS, kind_of
from inference_container.networks.layer import LayerParts
from inference_container.networks.tensor_names import place_of

BUNDLE = "bundle_emb."
"""Begins the names of embeddings that come with a network."""
SHORT_HASH = 12
"""Hex digits of a network's hash that WebUI shows."""
HASH_KEY = "sshs_model_hash"
"""Metadata: the hash a training script wrote of the tensors."""
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class NetworkFile:
    """Loaded, on the CPU, in the file's own precision."""

    file: ModelFile
    layers: Mapping[str, LayerParts]
    """By the layer's name as kohya writes it, such as `lora_unet_conv_in`."""
    embeddings: Mapping[str, Mapping[str, Tensor]]
    """Bundled ones by name, each as in `InversionFile.vectors`."""
    metadata: Mapping[str, str]
    hash: str
    """As infotext shows it: SHORT_HASH hex digits."""

    @property
    def bytes(self) -> int:
        """Memory its tensors take."""
        tensors = [tensor for parts in self.layers.values() for tensor in parts.tensors.values()]
        tensors += [vectors for encoders in self.embeddings.values() for vectors in encoders.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def load_network_file(file: ModelFile) -> NetworkFile:
    """Read all of `file`; which model it fits is not known here.

    Raises:
        JobFailed: asset_corrupt when it cannot be read; asset_incompatible when a layer of it is of no kind known.
    """
    with open_tensor_file(file) as tensors:
        found: dict[str, dict[str, Tensor]] = defaultdict(dict)
        embeddings: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for name in tensors.shapes:
            if name.startswith(BUNDLE):
                embedding, encoder = _bundled(file, name)
                embeddings[embedding][encoder] = tensors.read(name).clone()
            else:
                place = place_of(name)
                found[place.layer][place.part] = tensors.read(name).clone()
        metadata = tensors.metadata
    layers = {layer: _parts(file, layer, parts) for layer, parts in found.items()}
    checked = {name: check_vectors(file, encoders) for name, encoders in embeddings.items()}
    if not layers:
        raise incompatible(file, "it holds no network (no tensor in it changes a layer)")
    return NetworkFile(file, layers, checked, metadata, hash=_hash(file, metadata))


def _parts(file: ModelFile, layer: str, found: Mapping[str, Tensor]) -> LayerParts:
    numbers = {}
    for name in ("alpha", "scale", "on_input"):
        tensor = found.get(name)
        if tensor is None:
            continue
        if tensor.numel() != 1 or not math.isfinite(number := float(tensor)):
            raise corrupt(file, f"the {name} of its layer {layer} is not a finite number")
        numbers[name] = number
    parts = LayerParts({name: tensor for name, tensor in found.items() if name not in numbers}, numbers)
    if kind_of(parts) is None:
        known = ", ".join(kind.label for kind in KINDS)
        raise incompatible(
            file, f"its layer {layer} has {', '.join(sorted(parts.names))}, which no network has; allowed: {known}"
        )
    return parts


def _bundled(file: ModelFile, name: str) -> tuple[str, str]:
    """Embedding and text encoder that `bundle_emb.NAME.string_to_param.*` or `bundle_emb.NAME.clip_l` speaks of."""
    embedding, _, place = name.removeprefix(BUNDLE).partition(".")
    if place.startswith("string_to_param"):
        return embedding, ONLY
    if place not in PAIR:
        raise incompatible(file, f"its embedding {name!r} is none; allowed: …string_to_param.*, …clip_l, …clip_g")
    return embedding, place


def _hash(file: ModelFile, metadata: Mapping[str, str]) -> str:
    """Of the tensors alone where the format tells them apart, so that edited metadata change nothing."""
    if HASH_KEY in metadata:
        return metadata[HASH_KEY][:SHORT_HASH]
    if not file.name.lower().endswith(".safetensors"):
        return file.sha256[:SHORT_HASH]
    digest = hashlib.sha256()
    with file.path.open("rb") as stream:
        stream.seek(8 + int.from_bytes(stream.read(8), "little"))
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()[:SHORT_HASH]

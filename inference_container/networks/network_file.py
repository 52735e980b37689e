"""A file that changes weights (LoRA and its relatives), read into the parts of each layer (semantics §8.2)."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.families import Family
from generate_on_cloud.model_files.networks import NUMBERS, read_network
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, corrupt, open_tensor_file
from inference_container.networks.inversion_file import float_vectors
from inference_container.networks.layer import LayerParts

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
    architecture: Family | None
    """What it was made for; None when nothing tells."""
    hash: str
    """As infotext shows it: SHORT_HASH hex digits."""

    @property
    def bytes(self) -> int:
        """Memory its tensors take."""
        tensors = [tensor for parts in self.layers.values() for tensor in parts.tensors.values()]
        tensors += [vectors for encoders in self.embeddings.values() for vectors in encoders.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def load_network_file(file: ModelFile) -> NetworkFile:
    """Read all of `file`; which checkpoint it fits is not known here.

    Raises:
        JobFailed: asset_corrupt when it cannot be read; asset_incompatible when a layer of it is of no kind known.
    """
    with open_tensor_file(file, holding=AssetType.LORA) as tensors:
        network = read_network(tensors.shapes, tensors.metadata)
        layers = {layer: _parts(file, tensors, layer, names) for layer, names in network.layers.items()}
        embeddings = {
            embedding: float_vectors({encoder: tensors.read(name) for encoder, name in names.items()})
            for embedding, names in network.embeddings.items()
        }
        metadata = tensors.metadata
    return NetworkFile(file, layers, embeddings, network.architecture, hash=_hash(file, metadata))


def _parts(file: ModelFile, tensors: TensorFile, layer: str, names: Mapping[str, str]) -> LayerParts:
    found = {part: tensors.read(name).clone() for part, name in names.items()}
    numbers = {part: float(found.pop(part)) for part in NUMBERS if part in found}
    endless = next((part for part, number in numbers.items() if not math.isfinite(number)), None)
    if endless is not None:
        raise corrupt(file, f"the {endless} of its layer {layer} is not a finite number")
    return LayerParts(found, numbers)


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

"""Reads network files (LoRA and its relatives) into the parts of each layer (semantics §8.2)."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.networks import NUMBERS, read_network
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, corrupt, open_tensor_file
from inference_container.networks.inversion_file import float_vectors
from inference_container.networks.layer import LayerParts

SHORT_HASH = 12
"""The number of hex digits that WebUI shows of a network's hash."""
HASH_KEY = "sshs_model_hash"
"""Metadata key of the tensors' hash, as training scripts write it."""
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class NetworkFile:
    """A loaded network, on the CPU, in the file's precision."""

    file: ModelFile
    layers: Mapping[str, LayerParts]
    """Parts by kohya's name of the layer, such as `lora_unet_conv_in`."""
    embeddings: Mapping[str, Mapping[str, Tensor]]
    """Bundled embeddings by name, each as in `InversionFile.vectors`."""
    architecture: Family | None
    """The family it was made for; None if unknown."""
    hash: str
    """As infotext shows it: SHORT_HASH hex digits."""

    @property
    def bytes(self) -> int:
        """Memory that its tensors take."""
        tensors = [tensor for parts in self.layers.values() for tensor in parts.tensors.values()]
        tensors += [vectors for encoders in self.embeddings.values() for vectors in encoders.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def load_network_file(file: ModelFile) -> NetworkFile:
    """Read the whole file, without regard to any checkpoint.

    Raises:
        JobFailed: asset_corrupt if it cannot be read; asset_incompatible if the kind of a layer is unknown.
    """
    with open_tensor_file(file, holding=AssetType.LORA) as tensors:
        network = read_network(tensors.shapes, tensors.metadata)
        layers = {
            layer: _parts(file, tensors, layer, names, scale=network.scales.get(layer))
            for layer, names in network.layers.items()
        }
        embeddings = {
            embedding: float_vectors({encoder: tensors.read(name) for encoder, name in names.items()})
            for embedding, names in network.embeddings.items()
        }
        metadata = tensors.metadata
    return NetworkFile(file, layers, embeddings, network.architecture, hash=_hash(file, metadata))


def _parts(
    file: ModelFile, tensors: TensorFile, layer: str, names: Mapping[str, str], *, scale: float | None
) -> LayerParts:
    found = {part: tensors.read(name).clone() for part, name in names.items()}
    numbers = {part: float(found.pop(part)) for part in NUMBERS if part in found}
    if scale is not None:
        numbers["scale"] = scale
    endless = next((part for part, number in numbers.items() if not math.isfinite(number)), None)
    if endless is not None:
        raise corrupt(file, f"the {endless} of its layer {layer} is not a finite number")
    return LayerParts(found, numbers)


def _hash(file: ModelFile, metadata: Mapping[str, str]) -> str:
    """Hash the tensors alone if the format separates them, so that edited metadata do not change the hash."""
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

"""Reads textual inversion files of every layout into vectors (semantics §8.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.embedding_pictures import Numbers, read_embedding_picture
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.inversions import ONLY, stored_vectors, vector_names
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import (
    open_tensor_file,
    read_pickle,
    refusals_of,
)
from inference_container.prompt.text_models import TextKind


@dataclass(frozen=True)
class InversionFile:
    """A loaded embedding, on the CPU, in float32."""

    name: str
    """The word for it in prompts."""
    vectors: Mapping[str, Tensor]
    """Vectors of shape (k, width), 1 ≤ k ≤ 75, by text encoder: ONLY, or both of PAIR."""

    @property
    def bytes(self) -> int:
        """Memory that its vectors take."""
        return sum(vectors.numel() * vectors.element_size() for vectors in self.vectors.values())


def load_inversion_file(file: ModelFile) -> InversionFile:
    """Read WebUI's `.pt`, single tensors as diffusers and others write them, SDXL's pair, or a PNG with a text chunk.

    Raises:
        JobFailed: asset_corrupt if the file cannot be read; asset_incompatible if it is not an embedding.
    """
    suffix = file.name.lower().rpartition(".")[2]
    name = file.stem
    if suffix == "png":
        document = _in_picture(file)
        name = str(document.get("name") or name)
    elif suffix == "safetensors":
        with open_tensor_file(file, holding=AssetType.EMBEDDING) as tensors:
            document = {key: tensors.read(key).clone() for key in tensors.shapes}
    else:
        document = read_pickle(file, holding=AssetType.EMBEDDING)
    return InversionFile(name, _vectors(file, document))


def float_vectors(found: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Check the vectors of each text encoder and return them as float32 of shape (k, width)."""
    return {
        encoder: (tensor[None] if tensor.ndim == 1 else tensor).detach().to(torch.float32, copy=True)
        for encoder, tensor in found.items()
    }


def fitting_vectors(vectors: Mapping[str, Tensor], checkpoint: Checkpoint) -> Mapping[TextKind, Tensor] | None:
    """The vectors for the checkpoint's text encoders; None if they are for other encoders or of another width."""
    kinds = [model.kind for model in checkpoint.text_models]
    if set(vectors) == {ONLY} and len(kinds) == 1:
        found = {kinds[0]: vectors[ONLY]}
    elif set(vectors) == set(kinds) and len(kinds) > 1:
        found = {kind: vectors[kind] for kind in kinds}
    else:
        return None
    widths = {model.kind: model.encoder.config.hidden_size for model in checkpoint.text_models}
    return found if {kind: one.shape[1] for kind, one in found.items()} == widths else None


def _vectors(file: ModelFile, document: Mapping[Any, Any]) -> Mapping[str, Tensor]:
    with refusals_of(file):
        stored = stored_vectors(document)
        tensors = {key: value for key, value in stored.items() if isinstance(key, str) and isinstance(value, Tensor)}
        names = vector_names({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    return float_vectors({encoder: tensors[name] for encoder, name in names.items()})


def _in_picture(file: ModelFile) -> Mapping[str, Any]:
    with refusals_of(file):
        return {key: _loaded(value) for key, value in read_embedding_picture(FileBytes(file.path)).items()}


def _loaded(value: object) -> object:
    """With tensors in place of lists of numbers; WebUI's table of vectors is one level deeper."""
    if isinstance(value, dict):
        return {key: _loaded(one) for key, one in value.items()}
    return torch.tensor(value.values, dtype=torch.float32) if isinstance(value, Numbers) else value

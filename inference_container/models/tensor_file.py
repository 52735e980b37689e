"""Reads untrusted model files: safetensors headers within bounds, and only plain tensors from pickles."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.contents import FileContent, read_content
from generate_on_cloud.model_files.facts import content_facts
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from inference_container.models.files import ModelFile
from inference_container.models.pickle_rehearsal import rehearse
from inference_container.models.saved_tensors import MappedTensors


@dataclass(frozen=True)
class TensorFile:
    """The contents of an open model file."""

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
    """Reads one tensor by name, on the CPU in the file's dtype; works only inside `open_tensor_file`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    owned: bool = False
    """Whether tensors from `read` share memory neither with the file nor with each other."""

    def unscaled(self, scales: Mapping[str, str]) -> "TensorFile":
        """The same tensors, those that are keys of `scales` multiplied in float32 by the number of that name."""

        def read(name: str) -> Tensor:
            stored = self.read(name)
            return stored if name not in scales else stored.float() * self.read(scales[name]).float()

        return replace(self, read=read) if scales else self

    def named(self, names: Mapping[str, str]) -> "TensorFile":
        """The same tensors under the names that are the keys of `names`."""
        shapes = {new: self.shapes[name] for new, name in names.items()}
        return replace(self, shapes=shapes, read=lambda new: self.read(names[new]))

    def load(self, name: str, *, device: torch.device, dtype: torch.dtype) -> Tensor:
        """One tensor on `device` in `dtype`, also valid after the file is closed, with as few copies as possible."""
        return self.read(name).to(device, dtype, copy=not self.owned)


@contextmanager
def open_tensor_file(file: ModelFile, *, holding: AssetType | None = None) -> Iterator[TensorFile]:
    """Open a `.safetensors` file, or a pickle (`.ckpt`, `.pt`, `.bin`) that contains only tensors.

    The file is inspected first, as at its upload; with `holding`, also as a file of that asset type.

    Raises:
        JobFailed: asset_corrupt if the file is malformed; asset_incompatible if it contains something else.
    """
    if file.name.lower().endswith(".safetensors"):
        content = inspected(file, holding)
        try:
            # Not memory-mapped: pages of the file would stay in memory along with the model until all of it is read.
            with safe_open(file.path, framework="pt", device="cpu", backend="pread") as opened:
                yield TensorFile(content.shapes, opened.get_tensor, content.metadata, owned=True)
        except SafetensorError as error:
            raise corrupt(file, str(error)) from error
    else:
        state = _unpickle(file, holding)
        yield TensorFile({name: tuple(tensor.shape) for name, tensor in state.items()}, state.__getitem__)


@contextmanager
def refusals_of(file: ModelFile) -> Iterator[None]:
    """Turn refusals of the inspection into failures of the job with the same message."""
    try:
        yield
    except BrokenFileError as error:
        raise corrupt(file, str(error)) from error
    except RefusedFileError as error:
        raise incompatible(file, str(error)) from error


def inspected(file: ModelFile, holding: AssetType | None) -> FileContent:
    """What the inspection reads of a file.

    Raises:
        JobFailed: as `open_tensor_file`.
    """
    with refusals_of(file):
        if not file.name.lower().endswith(".safetensors"):
            rehearse(file.path)
        content = read_content(FileBytes(file.path), name=file.name)
        if holding is not None:
            content_facts(content, holding)
    return content


def corrupt(file: ModelFile, reason: str) -> JobFailed:
    """The error for a job whose file cannot be read."""
    return JobFailed(JobErrorCode.ASSET_CORRUPT, f"{file.name} cannot be read: {reason}")


def incompatible(file: ModelFile, reason: str) -> JobFailed:
    """The error for a job whose file is intact but cannot be used."""
    return JobFailed(JobErrorCode.ASSET_INCOMPATIBLE, f"{file.name} cannot be used: {reason}")


def read_pickle(file: ModelFile, *, holding: AssetType | None = None) -> dict[Any, Any]:
    """The dictionary in a pickle: tensors, numbers, texts and containers of them, without running any code.

    The tensors share the file's pages; objects that are left out are described as by the inspection.

    Raises:
        JobFailed: as `open_tensor_file`.
    """
    content = inspected(file, holding)
    document: dict[Any, Any] = MappedTensors(file.path, content.places).filled(content.document)
    return document


def _unpickle(file: ModelFile, holding: AssetType | None) -> Mapping[str, Tensor]:
    state = read_pickle(file, holding=holding)
    return {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}

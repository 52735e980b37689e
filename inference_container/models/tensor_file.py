"""Reads model files without trusting them: safetensors headers within bounds, pickles as plain tensors only."""

import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.contents import FileContent, read_content
from generate_on_cloud.model_files.facts import content_facts
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.pickle_names import LEFTOVERS, PARAMETER_DICT
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.saved_tensors import is_zip, unwrapped
from inference_container.models.files import ModelFile


@dataclass(frozen=True)
class TensorFile:
    """What a model file holds, and a way to its tensors."""

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
    """One tensor by name, on the CPU in the file's dtype; valid only inside `open_tensor_file`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    owned: bool = False
    """What `read` gives depends neither on the file nor on another reading of it."""

    def load(self, name: str, *, device: torch.device, dtype: torch.dtype) -> Tensor:
        """One tensor where and as it is to be used, valid for good; copied no more often than that takes."""
        return self.read(name).to(device, dtype, copy=not self.owned)


@contextmanager
def open_tensor_file(file: ModelFile, *, holding: AssetType | None = None) -> Iterator[TensorFile]:
    """Open a `.safetensors` file, or a pickle (`.ckpt`, `.pt`, `.bin`) that holds nothing but tensors.

    It is inspected first as it was when it was uploaded; with `holding`, for what a file of that type holds, too.

    Raises:
        JobFailed: asset_corrupt when the bytes are not such a file; asset_incompatible when it holds something else.
    """
    if file.name.lower().endswith(".safetensors"):
        content = _inspected(file, holding)
        try:
            # Not mapped: pages of the file would stay in memory beside the model until all of it is read.
            with safe_open(file.path, framework="pt", device="cpu", backend="pread") as opened:
                yield TensorFile(content.shapes, opened.get_tensor, content.metadata, owned=True)
        except SafetensorError as error:
            raise corrupt(file, str(error)) from error
    else:
        state = _unpickle(file, holding)
        yield TensorFile({name: tuple(tensor.shape) for name, tensor in state.items()}, state.__getitem__)


@contextmanager
def refusals_of(file: ModelFile) -> Iterator[None]:
    """What the inspection refuses as the failure of a job, in the same words."""
    try:
        yield
    except BrokenFileError as error:
        raise corrupt(file, str(error)) from error
    except RefusedFileError as error:
        raise incompatible(file, str(error)) from error


def _inspected(file: ModelFile, holding: AssetType | None) -> FileContent:
    with refusals_of(file):
        content = read_content(FileBytes(file.path), name=file.name)
        if holding is not None:
            content_facts(content, holding)
    return content


def corrupt(file: ModelFile, reason: str) -> JobFailed:
    """The failure of a job whose file cannot be read."""
    return JobFailed(JobErrorCode.ASSET_CORRUPT, f"{file.name} cannot be read: {reason}")


def incompatible(file: ModelFile, reason: str) -> JobFailed:
    """The failure of a job whose file is whole but not usable here."""
    return JobFailed(JobErrorCode.ASSET_INCOMPATIBLE, f"{file.name} cannot be used: {reason}")


class _Inert:
    """Stands for training leftovers in old checkpoints (Lightning callbacks, numpy numbers), which are never used."""

    def __init__(self, *arguments: object) -> None:
        """Keeps nothing."""

    def __setstate__(self, state: object) -> None:
        """Keeps nothing."""


class StoredParameters:
    """Stands for a `torch.nn.ParameterDict`: of an embedding, in files of WebUI's first months."""

    _parameters: Mapping[str, Tensor]

    def tensors(self) -> Mapping[str, Tensor]:
        """By name; empty when the pickle filled in none."""
        return dict(getattr(self, "_parameters", {}))


_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What torch raises over broken files, by where it notices."""
_HARMLESS: list[Any] = [(StoredParameters, PARAMETER_DICT), *((_Inert, name) for name in LEFTOVERS)]


def read_pickle(file: ModelFile, *, holding: AssetType | None = None) -> dict[Any, Any]:
    """The dictionary in a pickle: tensors, numbers, texts and containers of them, nothing that runs.

    Raises:
        JobFailed: as `open_tensor_file`.
    """
    _inspected(file, holding)
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            document = torch.load(file.path, map_location="cpu", weights_only=True, mmap=is_zip(FileBytes(file.path)))
    except pickle.UnpicklingError as error:
        # Before it torch advises to trust the file.
        refused = str(error).rpartition("WeightsUnpickler error:")[2].strip().split("\n", 1)[0]
        raise incompatible(file, f"it is not a plain tensor file; convert it to .safetensors ({refused})") from error
    except _BROKEN as error:
        raise corrupt(file, f"it is not a complete pickle of tensors ({error})") from error
    with refusals_of(file):
        check_tensor_sizes(document, file.path.stat().st_size)
    return unwrapped(document)


def check_tensor_sizes(document: Any, file_bytes: int) -> None:
    """Every tensor must fit the file: inspection refuses others, and this is what torch really made of it.

    Raises:
        BrokenFileError: one claims more bytes than the file has.
    """
    seen: set[int] = set()
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            claimed = value.numel() * value.element_size()
            if claimed > file_bytes:
                raise BrokenFileError(
                    f"a tensor of shape {list(value.shape)} claims {claimed} bytes; allowed: {file_bytes}"
                )
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, StoredParameters):
            waiting.append(vars(value))


def _unpickle(file: ModelFile, holding: AssetType | None) -> Mapping[str, Tensor]:
    state = read_pickle(file, holding=holding)
    return {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}

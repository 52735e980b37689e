"""Reads untrusted model files: safetensors headers within bounds, and only plain tensors from pickles."""

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
    """The contents of an open model file."""

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
    """Reads one tensor by name, on the CPU in the file's dtype; works only inside `open_tensor_file`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    owned: bool = False
    """Whether tensors from `read` share memory neither with the file nor with each other."""

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
        content = _inspected(file, holding)
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


def _inspected(file: ModelFile, holding: AssetType | None) -> FileContent:
    with refusals_of(file):
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


class _Inert:
    """Replaces training leftovers in old checkpoints (Lightning callbacks, numpy numbers), which are never used."""

    def __init__(self, *arguments: object) -> None:
        """Discard the arguments."""

    def __setstate__(self, state: object) -> None:
        """Discard the arguments."""


class StoredParameters:
    """Replaces `torch.nn.ParameterDict`, which holds an embedding in files from WebUI's first months."""

    _parameters: Mapping[str, Tensor]

    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors by name; empty if the pickle set none."""
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
"""The errors that torch raises for broken files, depending on where it notices."""
_HARMLESS: list[Any] = [(StoredParameters, PARAMETER_DICT), *((_Inert, name) for name in LEFTOVERS)]


def read_pickle(file: ModelFile, *, holding: AssetType | None = None) -> dict[Any, Any]:
    """The dictionary in a pickle: tensors, numbers, texts and containers of them, without running any code.

    Raises:
        JobFailed: as `open_tensor_file`.
    """
    _inspected(file, holding)
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            document = torch.load(file.path, map_location="cpu", weights_only=True, mmap=is_zip(FileBytes(file.path)))
    except pickle.UnpicklingError as error:
        # torch's message starts with the advice to trust the file, which is cut off.
        refused = str(error).rpartition("WeightsUnpickler error:")[2].strip().split("\n", 1)[0]
        raise incompatible(file, f"it is not a plain tensor file; convert it to .safetensors ({refused})") from error
    except _BROKEN as error:
        raise corrupt(file, f"it is not a complete pickle of tensors ({error})") from error
    with refusals_of(file):
        check_tensor_sizes(document, file.path.stat().st_size)
    return unwrapped(document)


def check_tensor_sizes(document: Any, file_bytes: int) -> None:
    """Check that no tensor is larger than the file; inspection checks this too, but torch builds the real tensors.

    Raises:
        BrokenFileError: a tensor claims more bytes than the file has.
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

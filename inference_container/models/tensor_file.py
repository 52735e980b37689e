"""Reads model files without trusting them: safetensors headers within bounds, pickles as plain tensors only."""

import json
import math
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.pickle_names import LEFTOVERS, PARAMETER_DICT
from inference_container.models.files import ModelFile
from inference_container.models.pickle_check import (
    BrokenFileError,
    UnsafeFileError,
    check_saved_file,
    check_tensor_sizes,
)

MAX_HEADER_BYTES = 100 * 1024**2
"""The safetensors library's own limit."""
DTYPE_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip

WRAPPERS = ("state_dict", "params_ema", "params-ema", "params", "model", "net")
"""Under which a pickle may hold its tensors; all but the first are habits of upscalers."""


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
def open_tensor_file(file: ModelFile) -> Iterator[TensorFile]:
    """Open a `.safetensors` file, or a pickle (`.ckpt`, `.pt`, `.bin`) that holds nothing but tensors.

    Raises:
        JobFailed: asset_corrupt when the bytes are not such a file; asset_incompatible for a pickle with more in it.
    """
    if file.name.lower().endswith(".safetensors"):
        header = read_header(file)
        try:
            # Not mapped: pages of the file would stay in memory beside the model until all of it is read.
            with safe_open(file.path, framework="pt", device="cpu", backend="pread") as opened:
                yield TensorFile(header.shapes, opened.get_tensor, header.metadata, owned=True)
        except SafetensorError as error:
            raise corrupt(file, str(error)) from error
    else:
        state = _unpickle(file)
        yield TensorFile({name: tuple(tensor.shape) for name, tensor in state.items()}, state.__getitem__)


@dataclass(frozen=True)
class Header:
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


def read_header(file: ModelFile) -> Header:
    """The header of a safetensors file: 8 bytes little-endian length, JSON, then the tensors' bytes.

    Raises:
        JobFailed: asset_corrupt, naming what is wrong.
    """
    size = file.path.stat().st_size
    with file.path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
            raise corrupt(file, f"its header claims {length} bytes, the file has {size}")
        raw = stream.read(length)
    try:
        document = json.loads(raw, object_pairs_hook=_unique)
    except _TwiceError as error:
        raise corrupt(file, f"its header names {error} twice") from error
    except (ValueError, RecursionError) as error:
        raise corrupt(file, "its header is not JSON") from error
    if not isinstance(document, dict):
        raise corrupt(file, "its header is not a JSON object")
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise corrupt(file, "its metadata is not a map of strings")
    data_bytes = size - 8 - length
    return Header({name: _shape(file, name, entry, data_bytes) for name, entry in document.items()}, metadata)


class _TwiceError(Exception):
    """A name is twice in a JSON object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(repr(name[:100]))
        found[name] = value
    return found


def corrupt(file: ModelFile, reason: str) -> JobFailed:
    """The failure of a job whose file cannot be read."""
    return JobFailed(JobErrorCode.ASSET_CORRUPT, f"{file.name} cannot be read: {reason}")


def incompatible(file: ModelFile, reason: str) -> JobFailed:
    """The failure of a job whose file is whole but not usable here."""
    return JobFailed(JobErrorCode.ASSET_INCOMPATIBLE, f"{file.name} cannot be used: {reason}")


def _shape(file: ModelFile, name: str, entry: Any, data_bytes: int) -> tuple[int, ...]:
    try:
        shape = tuple(entry["shape"])
        start, end = entry["data_offsets"]
        bits = DTYPE_BITS[entry["dtype"]]
        sound = all(type(number) is int and number >= 0 for number in (*shape, start, end))
        sound = sound and end <= data_bytes and (end - start) * 8 == math.prod(shape) * bits
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(file, f"the header entry of tensor {name!r} is malformed") from error
    if not sound:
        raise corrupt(
            file, f"tensor {name!r} does not lie inside the file ({entry['shape']} at {entry['data_offsets']})"
        )
    return shape


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


def read_pickle(file: ModelFile) -> dict[Any, Any]:
    """The dictionary in a pickle: tensors, numbers, texts and containers of them, nothing that runs.

    Raises:
        JobFailed: as `open_tensor_file`.
    """
    try:
        zipped = check_saved_file(file.path)
        with torch.serialization.safe_globals(_HARMLESS):
            document = torch.load(file.path, map_location="cpu", weights_only=True, mmap=zipped)
        check_tensor_sizes(document, file.path.stat().st_size)
    except UnsafeFileError as error:
        raise incompatible(file, f"it is no plain tensor file; convert it to .safetensors ({error})") from error
    except BrokenFileError as error:
        raise corrupt(file, str(error)) from error
    except pickle.UnpicklingError as error:
        # Before it torch advises to trust the file.
        refused = str(error).rpartition("WeightsUnpickler error:")[2].strip().split("\n", 1)[0]
        raise incompatible(file, f"it is no plain tensor file; convert it to .safetensors ({refused})") from error
    except _BROKEN as error:
        raise corrupt(file, f"it is no complete pickle of tensors ({error})") from error
    for wrapper in WRAPPERS:
        if isinstance(document, dict) and isinstance(document.get(wrapper), dict):
            document = document[wrapper]
            break
    if not isinstance(document, dict):
        raise incompatible(file, f"it holds a {type(document).__name__}, not a dictionary of tensors")
    return document


def _unpickle(file: ModelFile) -> Mapping[str, Tensor]:
    state = read_pickle(file)
    return {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}

"""Descriptions of the objects that a pickle's calls would create; only allowed names can be called."""

import math
from dataclasses import dataclass, field
from typing import Any

from generate_on_cloud.model_files.pickle_names import (
    LEFTOVERS,
    PARAMETER,
    PARAMETER_DICT,
    STORAGES,
    TENSOR_MAKERS,
    TEXT_ENCODINGS,
)
from generate_on_cloud.model_files.refusals import BrokenFileError, NotPlainError

_MOST = 2**63
_PLAIN = frozenset({"torch.device", "set", "complex"})
"""Calls whose results do not matter to us."""


@dataclass(frozen=True)
class Name:
    """An importable name."""

    path: str


@dataclass(frozen=True)
class Storage:
    """Where the bytes of tensors lie: in a member of the archive, or at the end of an older file."""

    key: str
    item_bytes: int
    bytes: int


@dataclass(frozen=True)
class Tensor:
    """Stands in for a tensor in the pickle."""

    shape: tuple[int, ...]


class Ordered(dict[Any, Any]):
    """Stands in for an OrderedDict, which unlike a plain dictionary may have attributes."""


@dataclass
class Made:
    """Stands in for any other object that a call would create."""

    by: str
    arguments: tuple[Any, ...] = ()
    state: dict[Any, Any] = field(default_factory=dict)


def called(function: Any, arguments: Any, most_bytes: int) -> Any:
    """The result of calling the name `function`.

    Raises:
        BrokenFileError: a tensor is larger than `most_bytes` or extends beyond its storage.
        NotPlainError: no plain tensor file makes this call.
        IndexError, TypeError, ValueError: the arguments do not fit the name.
    """
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise NotPlainError("its pickle calls something that is not a name")
    if function.path in TENSOR_MAKERS:
        return _tensor(arguments, most_bytes)
    if function.path == "collections.OrderedDict":
        return Ordered(arguments[0]) if arguments else Ordered()
    if function.path == "_codecs.encode":
        return _encoded(arguments)
    return _object(function.path, arguments)


def new_object(kind: Any, arguments: Any) -> Any:
    """The result of `kind.__new__`, which leaves collections empty.

    Raises:
        NotPlainError: `kind` may not be created this way.
        IndexError, TypeError, ValueError: the arguments do not fit the name.
    """
    if not isinstance(kind, Name) or not isinstance(arguments, tuple):
        raise NotPlainError("its pickle creates an object from something that is not a name")
    return Ordered() if kind.path == "collections.OrderedDict" else _object(kind.path, arguments)


def described_storage(identity: Any) -> Storage:
    """The storage named by a persistent id: ("storage", kind, key, device, elements), plus a view in older files.

    Raises:
        NotPlainError: the id names something else.
        TypeError, ValueError: the id is malformed.
    """
    if not isinstance(identity, tuple) or not identity or identity[0] != "storage":
        raise NotPlainError("its pickle refers to something other than tensors outside itself")
    _, kind, key, _, count, *_ = identity
    if not isinstance(kind, Name) or kind.path not in STORAGES or not isinstance(key, str):
        raise TypeError("a persistent id does not name a storage")
    if not _is_size(count):
        raise TypeError("a storage has no size")
    return Storage(key, STORAGES[kind.path], count * STORAGES[kind.path])


def _object(path: str, arguments: tuple[Any, ...]) -> Any:
    if path == PARAMETER and isinstance(arguments[0], Tensor):
        return arguments[0]
    if path == "torch.Size":
        return tuple(arguments[0]) if arguments else ()
    if path in LEFTOVERS or path in _PLAIN or (path == PARAMETER_DICT and not arguments):
        return Made(path, arguments)
    raise TypeError(f"{path} cannot be called with these arguments")


def _encoded(arguments: tuple[Any, ...]) -> Made:
    text, encoding = arguments
    if encoding not in TEXT_ENCODINGS:
        raise NotPlainError(
            f"its pickle uses an unsupported text encoding; allowed: {', '.join(sorted(TEXT_ENCODINGS))}"
        )
    if not isinstance(text, str):
        raise TypeError("the value to encode is not text")
    return Made("_codecs.encode")


def _tensor(arguments: tuple[Any, ...], most_bytes: int) -> Tensor:
    # (storage, offset, size, stride, …), or for a parameter the tensor itself, or (maker, type, its arguments, state).
    if arguments and isinstance(arguments[0], Tensor):
        return arguments[0]
    if len(arguments) >= 3 and isinstance(arguments[0], Name) and isinstance(arguments[2], tuple):
        return _tensor(arguments[2], most_bytes)
    storage, offset, size, stride, *_ = arguments
    if not isinstance(storage, Storage):
        raise TypeError("a tensor has no storage")
    if not all(isinstance(sizes, tuple) and all(map(_is_size, sizes)) for sizes in (size, stride, (offset,))):
        raise TypeError("a tensor has no size")
    claimed = math.prod(size) * storage.item_bytes
    if claimed > most_bytes:
        raise BrokenFileError(f"a tensor of shape {list(size)} claims {claimed} bytes; allowed: {most_bytes}")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and (last + 1) * storage.item_bytes > storage.bytes:
        raise BrokenFileError(f"a tensor of shape {list(size)} extends beyond its storage of {storage.bytes} bytes")
    return Tensor(size)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST

"""Descriptions of the objects that a pickle's calls would create; only allowed names can be called."""

import math
from dataclasses import dataclass, field
from typing import Any

from generate_on_cloud.model_files.pickle_names import (
    DTYPES,
    LEFTOVERS,
    PARAMETER,
    PARAMETER_DICT,
    STORAGES,
    TENSOR_MAKERS,
    TEXT_ENCODINGS,
)
from generate_on_cloud.model_files.refusals import BrokenFileError, NotPlainError
from generate_on_cloud.model_files.texts import is_text

_MOST = 2**63
_PLAIN = frozenset({"torch.device", "set", "complex"})
"""Calls whose results do not matter to us."""
MAX_DIMENSIONS = 16
MAX_KEY = 1000
"""Characters of a text that is the key of an entry; a tensor's name has up to two hundred."""
_SMALL = 2**31
"""Numbers below it cannot be chosen so that a dictionary of them is slow."""


@dataclass(frozen=True)
class Name:
    """An importable name."""

    path: str


@dataclass(frozen=True)
class Storage:
    """Where the bytes of tensors lie: in a member of the archive, or at the end of an older file."""

    key: str
    dtype: str
    """Of its elements, by torch's name: `float16`."""
    bytes: int

    @property
    def item_bytes(self) -> int:
        return DTYPES[self.dtype]


@dataclass(frozen=True)
class Tensor:
    """Stands in for a tensor in the pickle: where its elements lie, counted in elements."""

    shape: tuple[int, ...]
    storage: Storage
    offset: int
    strides: tuple[int, ...]


class Ordered(dict[Any, Any]):
    """Stands in for an OrderedDict, which unlike a plain dictionary may have attributes."""


@dataclass
class Made:
    """Stands in for any other object that a call would create."""

    by: str
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
        return _ordered(arguments)
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
    if not 5 <= len(identity) <= 6:
        raise TypeError("a persistent id has another length than torch's")
    kind, key, count = identity[1], identity[2], identity[4]
    if not isinstance(kind, Name) or kind.path not in STORAGES or not isinstance(key, str):
        raise TypeError("a persistent id does not name a storage")
    if not _is_size(count):
        raise TypeError("a storage has no size")
    dtype = STORAGES[kind.path]
    return Storage(checked_key(key), dtype, count * DTYPES[dtype])


def checked_key(key: Any) -> Any:
    """A key of a dictionary or an element of a set: a text, a number or a name; anything else may be slow to hash.

    Raises:
        BrokenFileError: it is too long or too large, or is not text in any encoding.
        NotPlainError: it is something else.
    """
    if type(key) is str:
        if len(key) > MAX_KEY:
            raise BrokenFileError(f"an entry's name has {len(key)} characters; allowed: {MAX_KEY}")
        if not is_text(key):
            raise BrokenFileError(f"an entry's name, {key[:100]!r}, is not text")
    elif type(key) is int:
        if not -_SMALL < key < _SMALL:
            raise BrokenFileError(f"an entry has a number beyond {_SMALL} as its key")
    elif not isinstance(key, (float, bool, Name, type(None))):
        raise NotPlainError(
            f"its pickle has a {type(key).__name__} as the key of an entry; allowed: texts, numbers, names"
        )
    return key


def _object(path: str, arguments: tuple[Any, ...]) -> Any:
    if path == PARAMETER and isinstance(arguments[0], Tensor):
        return arguments[0]
    if path == "torch.Size":
        return _sizes(arguments[0]) if arguments else ()
    if path == "set":
        for element in _listed(arguments[0]) if arguments else ():
            checked_key(element)
    if path in LEFTOVERS or path in _PLAIN or (path == PARAMETER_DICT and not arguments):
        return Made(path)
    raise TypeError(f"{path} cannot be called with these arguments")


def _ordered(arguments: tuple[Any, ...]) -> Ordered:
    if not arguments:
        return Ordered()
    pairs = arguments[0].items() if isinstance(arguments[0], dict) else _listed(arguments[0])
    return Ordered((checked_key(key), value) for key, value in pairs)


def _listed(value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"a {type(value).__name__} is not a list")
    return value


def _encoded(arguments: tuple[Any, ...]) -> Made:
    text, encoding = arguments
    if not isinstance(encoding, str) or encoding not in TEXT_ENCODINGS:
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
    storage, (offset,), size, stride = arguments[0], _sizes(arguments[1:2]), _sizes(arguments[2]), _sizes(arguments[3])
    if not isinstance(storage, Storage):
        raise TypeError("a tensor has no storage")
    claimed = math.prod(size) * storage.item_bytes
    if claimed > most_bytes:
        raise BrokenFileError(f"a tensor of shape {list(size)} claims {claimed} bytes; allowed: {most_bytes}")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if 0 not in size and (last + 1) * storage.item_bytes > storage.bytes:
        raise BrokenFileError(f"a tensor of shape {list(size)} extends beyond its storage of {storage.bytes} bytes")
    return Tensor(size, storage, offset, stride)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_DIMENSIONS or not all(map(_is_size, value)):
        raise TypeError("a tensor has no size")
    return tuple(value)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST

"""What a pickle would build, told from its opcodes: nothing is imported, called or unpickled.

Only what `torch.load(weights_only=True)` takes is followed; the first opcode or name beyond that refuses the file.
"""

import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

from generate_on_cloud.model_files.pickle_names import ALLOWED, STORAGES, TENSOR_MAKERS, TEXT_ENCODINGS, importable_name
from generate_on_cloud.model_files.ranges import RangedFile, RefusedFileError

MAX_OPCODES = 5_000_000


@dataclass(frozen=True)
class Tensor:
    """Where the pickle holds a tensor."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Storage:
    """Where the bytes of tensors are: an archive's member, or a stretch at the end of an older file."""

    key: str
    item_bytes: int
    bytes: int


@dataclass
class Made:
    """Anything else that a call would make."""

    by: str
    arguments: tuple[Any, ...] = ()
    state: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Name:
    """An importable name."""

    path: str


class _Mark:
    """Stands on the stack where a MARK was."""


_MARK = _Mark()


@dataclass(frozen=True)
class PickleDocument:
    content: Any
    """Dictionaries, lists, tuples, numbers and text are themselves; tensors are `Tensor`, other objects `Made`."""
    storages: Mapping[str, Storage]
    """By their keys; of two of one key the larger."""


def read_pickle(file: RangedFile, *, most_tensor_bytes: int) -> PickleDocument:
    """The document of the pickle at the file's position, which is left behind its end.

    Raises:
        RefusedFileError: it is no whole pickle, holds more than tensors, or a tensor larger than `most_tensor_bytes`:
            strides of zero make as large a one as they please of any storage.
    """
    machine = _Machine(most_tensor_bytes)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", file))):
            if count > MAX_OPCODES:
                raise RefusedFileError(f"its pickle has more than {MAX_OPCODES} instructions")
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise RefusedFileError(f"it is no complete pickle ({str(error)[:100]})") from error
    return PickleDocument(machine.result, machine.storages)


class _Machine:
    """A pickle's stack and memo, holding descriptions in place of objects."""

    def __init__(self, most_tensor_bytes: int) -> None:
        self.most_tensor_bytes = most_tensor_bytes
        self.storages: dict[str, Storage] = {}
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.result: Any = None

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _VALUES:
            self.stack.append(argument)
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode not in ("PROTO", "FRAME"):
            raise RefusedFileError(f"its pickle uses the instruction {opcode}, which no plain tensor file needs")

    def to_mark(self) -> list[Any]:
        for position in range(len(self.stack) - 1, -1, -1):
            if self.stack[position] is _MARK:
                found = self.stack[position + 1 :]
                del self.stack[position:]
                return found
        raise ValueError("no mark")

    def name(self, path: str) -> None:
        path = importable_name(path)
        if path not in ALLOWED:
            raise RefusedFileError(
                f"its pickle names {path[:100]!r}, which would run code; convert the file to .safetensors"
            )
        self.stack.append(Name(path))

    def call(self, _argument: Any) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self.stack.append(_made(called, arguments, self.most_tensor_bytes))

    def build(self, _argument: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Made) and isinstance(state, dict):
            self.stack[-1].state.update(state)

    def set_items(self, pairs: list[Any]) -> None:
        target = _items_of(self.stack[-1])
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            # What cannot be a key of ours (a tensor's description can) is of no interest.
            if isinstance(key, (str, int, float, tuple, Name, Tensor)):
                target[key] = value

    def append_items(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("values are appended to what is no list")
        self.stack[-1].extend(values)

    def put(self, index: Any) -> None:
        self.memo[len(self.memo) if index is None else int(index)] = self.stack[-1]

    def get(self, index: Any) -> None:
        self.stack.append(self.memo[int(index)])

    def take(self, count: int) -> None:
        self.stack[len(self.stack) - count :] = [tuple(self.stack[len(self.stack) - count :])]

    def stop(self, _argument: Any) -> None:
        self.result = self.stack.pop()


def _pop(machine: _Machine, _argument: Any) -> None:
    machine.stack.pop()


def _pop_mark(machine: _Machine, _argument: Any) -> None:
    machine.to_mark()


def _pair(machine: _Machine, _argument: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _one(machine: _Machine, _argument: Any) -> None:
    value = machine.stack.pop()
    machine.append_items([value])


def _stack_name(machine: _Machine, _argument: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.name(f"{module} {name}")


def _storage(machine: _Machine, _argument: Any) -> None:
    # ("storage", kind, key, device, number of elements), in older files with a view into it behind.
    what, kind, key, _, count, *_ = machine.stack.pop()
    if what != "storage" or not isinstance(kind, Name) or kind.path not in STORAGES or not isinstance(key, str):
        raise TypeError("something other than a storage is kept outside the pickle")
    if type(count) is not int or not 0 <= count < 2**63:
        raise TypeError("a storage has no size")
    storage = Storage(key, STORAGES[kind.path], count * STORAGES[kind.path])
    known = machine.storages.get(key, storage)
    machine.storages[key] = max(storage, known, key=lambda one: one.bytes)
    machine.stack.append(storage)


_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK, "EMPTY_TUPLE": ()}
_VALUES = frozenset(
    {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "UNICODE", "BINUNICODE",
     "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"}
)  # fmt: skip
_EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list}
_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": lambda machine, argument: machine.name(argument),
    "STACK_GLOBAL": _stack_name,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.take(1),
    "TUPLE2": lambda machine, _: machine.take(2),
    "TUPLE3": lambda machine, _: machine.take(3),
    "LIST": lambda machine, _: machine.stack.append(machine.to_mark()),
    "DICT": lambda machine, _: machine.stack.append(dict(zip(*[iter(machine.to_mark())] * 2, strict=True))),
    "SETITEM": _pair,
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "APPEND": _one,
    "APPENDS": lambda machine, _: machine.append_items(machine.to_mark()),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "BINPERSID": _storage,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "STOP": _Machine.stop,
}


def _made(called: Any, arguments: Any, most_tensor_bytes: int) -> Any:
    if not isinstance(called, Name) or not isinstance(arguments, tuple):
        raise RefusedFileError("its pickle calls something that is no name")
    if called.path in TENSOR_MAKERS:
        return _tensor(arguments, most_tensor_bytes)
    if called.path == "collections.OrderedDict":
        return dict(arguments[0]) if arguments else {}
    if called.path == "torch.Size":
        return tuple(arguments[0]) if arguments else ()
    if called.path == "_codecs.encode" and not (len(arguments) == 2 and arguments[1] in TEXT_ENCODINGS):
        raise RefusedFileError(f"its pickle encodes texts otherwise than as {', '.join(sorted(TEXT_ENCODINGS))}")
    return Made(called.path, arguments)


def _tensor(arguments: tuple[Any, ...], most_bytes: int) -> Tensor:
    # (storage, offset, size, stride, …), or for a parameter the tensor itself, or (maker, type, its arguments, state).
    if arguments and isinstance(arguments[0], Tensor):
        return arguments[0]
    if len(arguments) >= 3 and isinstance(arguments[0], Name) and isinstance(arguments[2], tuple):
        return _tensor(arguments[2], most_bytes)
    storage, size = arguments[0], arguments[2]
    if not isinstance(size, tuple) or not all(type(number) is int and 0 <= number < 2**63 for number in size):
        raise TypeError("a tensor has no size")
    if not isinstance(storage, Storage):
        raise TypeError("a tensor has no storage")
    claimed = math.prod(size) * storage.item_bytes
    if claimed > most_bytes:
        raise RefusedFileError(f"a tensor of shape {list(size)} claims {claimed} bytes of {most_bytes}")
    return Tensor(size)


def _items_of(target: Any) -> dict[Any, Any]:
    if isinstance(target, dict):
        return target
    if isinstance(target, Made):
        return target.state
    raise TypeError("items are set on what is no dictionary")

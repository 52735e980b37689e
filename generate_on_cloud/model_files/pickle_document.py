"""Reads what a pickle would build from its opcodes alone: nothing is imported, called or unpickled.

Only what `torch.load(weights_only=True)` accepts is allowed; the first other opcode or name refuses the file.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, cast

from generate_on_cloud.model_files.pickle_calls import (
    Made,
    Name,
    Ordered,
    Storage,
    called,
    checked_key,
    described_storage,
    new_object,
)
from generate_on_cloud.model_files.pickle_growth import check_growth
from generate_on_cloud.model_files.pickle_names import ALLOWED, LEFTOVERS, PARAMETER_DICT, importable_name
from generate_on_cloud.model_files.ranges import MIB, RangedFile
from generate_on_cloud.model_files.refusals import BrokenFileError, NotPlainError

MAX_INSTRUCTIONS = 500_000
"""Of all pickles in a file; one with 12,000 tensors has as many, a checkpoint of Stable Diffusion XL a fifth."""
MAX_NAMES = 10_000
"""Of all pickles in a file, which take longer than other instructions; torch writes each name once."""
MAX_COPIED = 1_000_000
"""Items that all calls together may copy between collections: every call could name the same large collection."""
MAX_ENCODED = 64 * MIB
"""Characters that all calls together may encode."""


@dataclass
class Work:
    """What reading the pickles of one file has taken so far, within the bounds above."""

    instructions: int = 0
    names: int = 0
    copied: int = 0
    encoded: int = 0

    def count_instruction(self) -> None:
        self.instructions += 1
        if self.instructions > MAX_INSTRUCTIONS:
            raise BrokenFileError(f"its pickle has more than {MAX_INSTRUCTIONS} instructions")

    def count_name(self) -> None:
        self.names += 1
        if self.names > MAX_NAMES:
            raise BrokenFileError(f"its pickle has more than {MAX_NAMES} names")

    def count_call(self, function: Any, arguments: Any) -> None:
        """Bound what calls copy; otherwise a pickle of a few megabytes could fill any amount of memory."""
        given = arguments if isinstance(arguments, tuple) else (arguments,)
        self.copied += len(given)
        for argument in given if self.copied <= MAX_COPIED else ():
            if isinstance(argument, str):
                self.encoded += len(argument)
            elif isinstance(argument, (dict, list, tuple)):
                self.copied += len(argument)
        if self.copied > MAX_COPIED or self.encoded > MAX_ENCODED:
            raise NotPlainError(f"its pickle copies more data with {_said(function)} than any tensor file does")


@dataclass(frozen=True)
class PickleDocument:
    content: Any
    """Plain dictionaries, lists, tuples, numbers and text, with `Tensor` for tensors and `Made` for other objects."""
    storages: Mapping[str, Storage]
    """Storages by key."""


def read_pickle(file: RangedFile | BytesIO, *, most_tensor_bytes: int, work: Work) -> PickleDocument:
    """Read the pickle at the file's position; afterwards the position is behind the pickle.

    Raises:
        BrokenFileError: the pickle is incomplete, or a tensor extends beyond its storage or is larger than
            `most_tensor_bytes`: with strides of zero, a small storage could claim a tensor of any size.
        NotPlainError: the pickle contains more than tensors.
    """
    machine = _Machine(most_tensor_bytes, work)
    try:
        for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", file)):
            work.count_instruction()
            machine.step(opcode.name, argument)
        check_growth(machine.result)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BrokenFileError(f"it is not a complete pickle of tensors ({str(error)[:100]})") from error
    return PickleDocument(machine.result, machine.storages)


class _Machine:
    """A pickle machine whose stack and memo hold descriptions in place of objects."""

    def __init__(self, most_tensor_bytes: int, work: Work) -> None:
        self.most_tensor_bytes = most_tensor_bytes
        self.work = work
        self.storages: dict[str, Storage] = {}
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        """The contents of the stack before each MARK."""
        self.memo: dict[int, Any] = {}
        self.result: Any = None

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _VALUES:
            self.stack.append(argument)
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode != "PROTO":
            raise NotPlainError(f"its pickle uses the instruction {opcode}, which no plain tensor file needs")

    def mark(self, _argument: Any) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.marked.pop()
        return found

    def name(self, argument: Any) -> None:
        self.work.count_name()
        path = importable_name(argument)
        if path not in ALLOWED:
            raise NotPlainError(f"its pickle names {path[:100]!r}, which is not part of a tensor")
        self.stack.append(Name(path))

    def call(self, _argument: Any) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        self.work.count_call(function, arguments)
        self.stack[-1] = called(function, arguments, self.most_tensor_bytes)

    def new(self, _argument: Any) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        self.work.count_call(kind, arguments)
        self.stack.append(new_object(kind, arguments))

    def build(self, _argument: Any) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, Made) and built.by in LEFTOVERS:
            return
        if isinstance(built, Made) and built.by == PARAMETER_DICT and isinstance(state, dict):
            self.work.count_call(built, (state,))
            built.state.update(state)
        elif not (isinstance(built, Ordered) and isinstance(state, dict)):
            raise NotPlainError(f"its pickle changes {_said(built)}, which no plain tensor file does")

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise TypeError("items are set on something that is not a dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, Made):  # such keys do not matter to us
                target[checked_key(key)] = value

    def append_items(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("values are appended to something that is not a list")
        self.stack[-1].extend(values)

    def put(self, index: Any) -> None:
        self.memo[int(index)] = self.stack[-1]

    def get(self, index: Any) -> None:
        self.stack.append(self.memo[int(index)])

    def take(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def store(self, _argument: Any) -> None:
        storage = described_storage(self.stack.pop())
        if self.storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"storage {storage.key[:20]!r} has two sizes")
        self.stack.append(storage)

    def stop(self, _argument: Any) -> None:
        self.result = self.stack.pop()


def _said(value: Any) -> str:
    """How a refusal names a value."""
    named = value.path if isinstance(value, Name) else value.by if isinstance(value, Made) else type(value).__name__
    return f"{named[:100]!r}"


def _tuple(machine: _Machine, _argument: Any) -> None:
    items = machine.to_mark()
    machine.stack.append(tuple(items))


def _pair(machine: _Machine, _argument: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _one(machine: _Machine, _argument: Any) -> None:
    value = machine.stack.pop()
    machine.append_items([value])


_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_VALUES = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"})
_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_SET": lambda machine, _: machine.stack.append(Made("set")),
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.new,
    "BUILD": _Machine.build,
    "MARK": _Machine.mark,
    "TUPLE": _tuple,
    "TUPLE1": lambda machine, _: machine.take(1),
    "TUPLE2": lambda machine, _: machine.take(2),
    "TUPLE3": lambda machine, _: machine.take(3),
    "SETITEM": _pair,
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "APPEND": _one,
    "APPENDS": lambda machine, _: machine.append_items(machine.to_mark()),
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "BINPERSID": _Machine.store,
    "STOP": _Machine.stop,
}
"""Exactly the instructions that torch's own loader accepts."""

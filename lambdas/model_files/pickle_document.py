"""What a pickle would build, told from its opcodes: nothing is imported, called or unpickled.

Only what `torch.load(weights_only=True)` takes is followed; the first opcode or name beyond that refuses the file.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

from inference_container.contract.pickle_names import ALLOWED, TENSOR_MAKERS, TEXT_ENCODINGS, importable_name
from lambdas.model_files.ranges import RangedFile, RefusedFileError

MAX_OPCODES = 5_000_000


@dataclass(frozen=True)
class Tensor:
    """Where the pickle holds a tensor."""

    shape: tuple[int, ...]


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


def read_pickle(file: RangedFile) -> Any:
    """The document of the pickle at the file's position, which is left behind its end.

    Dictionaries, lists, tuples, numbers and text are themselves; tensors are `Tensor`, other objects `Made`.

    Raises:
        RefusedFileError: it is no whole pickle, or holds more than tensors.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", file))):
            if count > MAX_OPCODES:
                raise RefusedFileError(f"its pickle has more than {MAX_OPCODES} instructions")
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise RefusedFileError(f"it is no complete pickle ({str(error)[:100]})") from error
    return machine.result


class _Machine:
    """A pickle's stack and memo, holding descriptions in place of objects."""

    def __init__(self) -> None:
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
        self.stack.append(_made(called, arguments))

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
    machine.stack[-1] = Made("storage", arguments=machine.stack[-1] if isinstance(machine.stack[-1], tuple) else ())


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


def _made(called: Any, arguments: Any) -> Any:
    if not isinstance(called, Name) or not isinstance(arguments, tuple):
        raise RefusedFileError("its pickle calls something that is no name")
    if called.path in TENSOR_MAKERS:
        return _tensor(arguments)
    if called.path == "collections.OrderedDict":
        return dict(arguments[0]) if arguments else {}
    if called.path == "torch.Size":
        return tuple(arguments[0]) if arguments else ()
    if called.path == "_codecs.encode" and not (len(arguments) == 2 and arguments[1] in TEXT_ENCODINGS):
        raise RefusedFileError(f"its pickle encodes texts otherwise than as {', '.join(sorted(TEXT_ENCODINGS))}")
    return Made(called.path, arguments)


def _tensor(arguments: tuple[Any, ...]) -> Any:
    # (storage, offset, size, stride, …), or for a parameter the tensor itself, or (maker, type, its arguments, state).
    if arguments and isinstance(arguments[0], Tensor):
        return arguments[0]
    if len(arguments) >= 3 and isinstance(arguments[0], Name) and isinstance(arguments[2], tuple):
        return _tensor(arguments[2])
    size = arguments[2]
    if not isinstance(size, tuple) or not all(type(number) is int and 0 <= number < 2**63 for number in size):
        raise TypeError("a tensor has no size")
    return Tensor(size)


def _items_of(target: Any) -> dict[Any, Any]:
    if isinstance(target, dict):
        return target
    if isinstance(target, Made):
        return target.state
    raise TypeError("items are set on what is no dictionary")

"""Reads what an ONNX network takes and gives, and refuses what could harm the machine that runs it.

The field numbers are those of onnx.proto3; tensors are passed over unread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from generate_on_cloud.model_files.ranges import ByteSource, RangedFile
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError

Axes = tuple[int | None, ...]
"""A shape; None where its length is open."""

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
UNBOUNDED = ("Loop", "Scan")
"""Operators that may loop forever."""
MAX_FIELDS = 200_000
"""Ten times what large networks have, so that few seconds are enough to read them."""
MAX_TEXT = 4096
_EXTERNAL = 1
_FIXED: Mapping[int, int] = MappingProxyType({1: 8, 5: 4})
"""Sizes in bytes of protobuf's fixed-width wire types."""


@dataclass(frozen=True)
class OnnxGraph:
    """The outside of a network."""

    inputs: Mapping[str, Axes]
    outputs: Mapping[str, Axes]


@dataclass(frozen=True)
class _Node:
    operator: str
    domain: str


@dataclass
class _Found:
    inputs: dict[str, Axes] = field(default_factory=dict)
    outputs: dict[str, Axes] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    nodes: list[_Node] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    """Domains of the functions that the file defines."""


def read_onnx_graph(source: ByteSource) -> OnnxGraph:
    """The inputs and outputs of the network in a file.

    Raises:
        BrokenFileError: it is not a complete ONNX model.
        RefusedFileError: it reads other files, may run forever, or has operators that are not part of ONNX.
    """
    found, reader = _Found(), _Reader(RangedFile(source), source.size)
    graphs = 0
    for number, value in reader.fields(range(source.size)):
        if number == 7 and isinstance(value, range):
            graphs += 1
            _read_graph(reader, value, found, outer=True)
        elif number == 25 and isinstance(value, range):
            _read_function(reader, value, found)
    if graphs != 1:
        raise BrokenFileError("it is not a complete ONNX model")
    for node in found.nodes:
        _check_node(node, found.functions)
    inputs = {name: axes for name, axes in found.inputs.items() if name not in found.constants}
    return OnnxGraph(inputs, found.outputs)


def _check_node(node: _Node, functions: set[str]) -> None:
    if node.operator in UNBOUNDED:
        raise RefusedFileError(f"its network has the operator {node.operator}, which may run forever")
    if node.domain not in DOMAINS and node.domain not in functions:
        raise RefusedFileError(
            f"its network has the operator {node.domain[:80]}.{node.operator[:80]}, which is not part of ONNX"
        )


class _Reader:
    """Protobuf's fields one after another, as many as are allowed in all."""

    def __init__(self, file: RangedFile, size: int) -> None:
        self._file, self._size, self._left = file, size, MAX_FIELDS

    def fields(self, part: range) -> Iterator[tuple[int, int | range]]:
        """Number and value of each field in a part of the file: a whole number, or where its bytes are."""
        at = part.start
        while at < part.stop:
            self._left -= 1
            if self._left < 0:
                raise RefusedFileError(f"its network has more than {MAX_FIELDS} fields")
            self._file.seek(at)
            tag = self._number()
            number, wire = tag >> 3, tag & 7
            if wire == 0:
                value: int | range = self._number()
                at = self._file.tell()
            elif wire == 2:
                length = self._number()
                value = range(self._file.tell(), self._file.tell() + length)
                at = value.stop
            elif wire in _FIXED:
                value = range(self._file.tell(), self._file.tell() + _FIXED[wire])
                at = value.stop
            else:
                raise BrokenFileError("it is not a complete ONNX model")
            if at > part.stop:
                raise BrokenFileError("it is not a complete ONNX model")
            yield number, value

    def text(self, part: int | range) -> str:
        if not isinstance(part, range) or len(part) > MAX_TEXT:
            raise BrokenFileError("it is not a complete ONNX model")
        self._file.seek(part.start)
        return self._file.read(len(part)).decode("utf-8", errors="replace")

    def _number(self) -> int:
        value, start = 0, self._file.tell()
        for count, byte in enumerate(self._file.read(10)):
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:
                self._file.seek(start + count + 1)
                return value
        raise BrokenFileError("it is not a complete ONNX model")


MAX_DEPTH = 16
"""Graphs inside each other's operators."""


def _read_graph(reader: _Reader, part: range, found: _Found, *, outer: bool = False, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise RefusedFileError(f"its network has graphs more than {MAX_DEPTH} deep in each other")
    for number, value in reader.fields(part):
        if not isinstance(value, range):
            continue
        if number == 1:
            _read_node(reader, value, found, depth=depth)
        elif number == 5:
            name = _read_tensor(reader, value)
            if outer:
                found.constants.add(name)
        elif number == 15:
            _read_sparse(reader, value)
        elif number in (11, 12) and outer:
            name, axes = _read_value(reader, value)
            (found.inputs if number == 11 else found.outputs)[name] = axes


def _read_function(reader: _Reader, part: range, found: _Found) -> None:
    for number, value in reader.fields(part):
        if number == 7 and isinstance(value, range):
            _read_node(reader, value, found, depth=1)
        elif number == 10:
            found.functions.add(reader.text(value))


def _read_node(reader: _Reader, part: range, found: _Found, *, depth: int) -> None:
    operator = domain = ""
    for number, value in reader.fields(part):
        if number == 4:
            operator = reader.text(value)
        elif number == 7:
            domain = reader.text(value)
        elif number == 5 and isinstance(value, range):
            _read_attribute(reader, value, found, depth=depth)
    found.nodes.append(_Node(operator, domain))


def _read_attribute(reader: _Reader, part: range, found: _Found, *, depth: int) -> None:
    for number, value in reader.fields(part):
        if not isinstance(value, range):
            continue
        if number in (5, 10):
            _read_tensor(reader, value)
        elif number in (6, 11):
            _read_graph(reader, value, found, depth=depth + 1)
        elif number in (22, 23):
            _read_sparse(reader, value)


def _read_tensor(reader: _Reader, part: range) -> str:
    name, elsewhere = "", False
    for number, value in reader.fields(part):
        if number == 8:
            name = reader.text(value)
        elif number == 13 or (number == 14 and value == _EXTERNAL):
            elsewhere = True
    if elsewhere:
        raise RefusedFileError(f"its network stores {name[:80]!r} in another file; save it as one file")
    return name


def _read_sparse(reader: _Reader, part: range) -> None:
    for number, value in reader.fields(part):
        if number in (1, 2) and isinstance(value, range):
            _read_tensor(reader, value)


def _read_value(reader: _Reader, part: range) -> tuple[str, Axes]:
    """Name and shape of an input or output; no axes if it is not a tensor of a known rank."""
    name = ""
    axes: Axes = ()
    for number, value in reader.fields(part):
        if number == 1:
            name = reader.text(value)
        elif number == 2 and isinstance(value, range):
            axes = _axes(reader, _inner(reader, value, 1, 2))
    return name, axes


def _inner(reader: _Reader, part: range, *path: int) -> range | None:
    """The message at the end of a path of field numbers."""
    inside: range | None = part
    for wanted in path:
        if inside is None:
            return None
        inside = next(
            (value for number, value in reader.fields(inside) if number == wanted and isinstance(value, range)), None
        )
    return inside


def _axes(reader: _Reader, shape: range | None) -> Axes:
    dims: Sequence[range] = [
        value for number, value in (reader.fields(shape) if shape else ()) if number == 1 and isinstance(value, range)
    ]
    return tuple(_length(reader, dim) for dim in dims)


def _length(reader: _Reader, dim: range) -> int | None:
    lengths = [value for number, value in reader.fields(dim) if number == 1 and isinstance(value, int)]
    return lengths[-1] if lengths and 0 < lengths[-1] < 2**31 else None

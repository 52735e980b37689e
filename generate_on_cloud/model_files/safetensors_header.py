"""The header of a safetensors file, checked as strictly as the library does but without reading a tensor."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generate_on_cloud.model_files.ranges import MIB, ByteSource
from generate_on_cloud.model_files.refusals import BrokenFileError

MAX_HEADER_BYTES = 16 * MIB
"""The library allows 100 MB; an SDXL checkpoint's header takes 0.3 MB, a LoRA's with all training tags a few MB."""
MAX_TENSORS = 50_000
"""A LyCORIS with every layer of SDXL has fewer than 20,000 tensors."""
_MOST = 2**63
DTYPE_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip


@dataclass(frozen=True)
class SafetensorsHeader:
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    data_start: int
    """Offset of the first tensor's bytes."""


def read_safetensors_header(source: ByteSource) -> SafetensorsHeader:
    """Read names, shapes and metadata; the tensors' bytes must fill the rest of the file without gaps.

    Raises:
        BrokenFileError: the header is malformed or does not match the file; the message says how.
    """
    length = int.from_bytes(source.read(0, 8), "little")
    if source.size < 8 or length > source.size - 8:
        raise BrokenFileError(f"its header claims {length} bytes, the file has {source.size}")
    if length > MAX_HEADER_BYTES:
        raise BrokenFileError(f"its header claims {length} bytes; allowed: {MAX_HEADER_BYTES}")
    try:
        text = source.read(8, length).decode("utf-8")
        document = json.loads(text, object_pairs_hook=_Objects().made, parse_constant=_refuse_constant)
        if "\\u" in text:  # may be half of a surrogate pair, which Python accepts
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BrokenFileError("its header is not JSON") from error
    if not isinstance(document, dict) or not text.startswith("{"):
        raise BrokenFileError("its header is not a JSON object")
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise BrokenFileError("its metadata is not a map of strings")
    spans = {name: _checked(name, entry) for name, entry in document.items()}
    _refuse_gaps({name: span for name, (_, span) in spans.items()}, data_bytes=source.size - 8 - length)
    return SafetensorsHeader({name: shape for name, (shape, _) in spans.items()}, metadata, 8 + length)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class _Objects:
    """Makes the header's objects, each with unique names, and no more of them than a header of MAX_TENSORS has."""

    def __init__(self) -> None:
        self._left = MAX_TENSORS + 2
        """The tensors, their metadata and the header itself."""

    def made(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._left -= 1
        if self._left < 0:
            raise BrokenFileError(f"its header has more than {MAX_TENSORS} tensors")
        document = dict(pairs)
        if len(document) != len(pairs):
            names = Counter(name for name, _ in pairs)
            raise BrokenFileError(f"its header names {names.most_common(1)[0][0][:100]!r} twice")
        return document


def _checked(name: str, entry: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    try:
        shape = tuple(entry["shape"])
        start, end = entry["data_offsets"]
        bits = DTYPE_BITS[entry["dtype"]]
        sound = all(type(number) is int and 0 <= number < _MOST for number in (*shape, start, end))
        sound = sound and len(shape) <= 16 and math.prod(number or 1 for number in shape) < _MOST
        sound = sound and (end - start) * 8 == math.prod(shape) * bits
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise BrokenFileError(f"the header entry of tensor {name[:100]!r} is malformed")
    return shape, (start, end)


def _refuse_gaps(spans: Mapping[str, tuple[int, int]], *, data_bytes: int) -> None:
    reached = 0
    for name, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        if start != reached:
            raise BrokenFileError(f"tensor {name[:100]!r} begins at byte {start} of the data, not at {reached}")
        reached = end
    if reached != data_bytes:
        kind = "truncated" if data_bytes < reached else "too long"
        raise BrokenFileError(f"it is {kind}: its header describes {reached} bytes of data, the file has {data_bytes}")

"""Embeddings inside PNG pictures: the text chunk that WebUI writes, as inspection and container read it."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generate_on_cloud.model_files.family_names import Shape
from generate_on_cloud.model_files.ranges import ByteSource, RangedFile
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError

KEY = "sd-ti-embedding"
"""Of the text chunk."""
MAX_CHUNKS = 10_000
"""Chunks of a PNG: a picture of 80 MB in libpng's smallest pieces has as many."""
MAX_TEXT = 8 * 1024**2
"""Characters of the text: 75 vectors for both text encoders of XL take about 5 million."""
MAX_DIMENSIONS = 4
_PNG = b"\x89PNG\r\n\x1a\n"
_TENSOR = "TORCHTENSOR"
_LARGEST = 3.4e38
"""In single precision."""
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


@dataclass(frozen=True)
class Numbers:
    """A tensor as the text has it."""

    shape: Shape
    values: Any
    """Nested lists of numbers."""


def read_embedding_picture(source: ByteSource) -> Mapping[str, Any]:
    """The document in a PNG's text chunk, with tensors as `Numbers`; the pixels are not looked at.

    Raises:
        BrokenFileError: it is no complete PNG, or its text cannot be read.
        RefusedFileError: it has no such chunk, or too many chunks.
    """
    text = _embedded_text(source)
    if text is None:
        raise RefusedFileError(
            f"its picture has no text chunk {KEY}; embeddings in the pixels are not supported, use the .pt file"
        )
    try:
        document = json.loads(base64.b64decode(text, validate=True), object_hook=_numbers)
    except (binascii.Error, RecursionError, ValueError) as error:
        raise BrokenFileError(f"its text chunk {KEY} is not an embedding ({str(error)[:200]})") from error
    if not isinstance(document, dict):
        raise BrokenFileError(f"its text chunk {KEY} is not a JSON object")
    return document


def numbers_shapes(document: Mapping[Any, Any]) -> dict[str, Shape]:
    """The shapes of the tensors among the entries of a document."""
    return {key: one.shape for key, one in document.items() if isinstance(key, str) and isinstance(one, Numbers)}


def _embedded_text(source: ByteSource) -> bytes | None:
    """Check the chunks, whose last one must end where the file ends, and return the text under KEY."""
    file, found, key = RangedFile(source), None, KEY.encode() + b"\0"
    if file.read(8) != _PNG:
        raise BrokenFileError("it is not a PNG picture")
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise BrokenFileError("its PNG is truncated")
        start, length = file.tell(), int.from_bytes(head[:4], "big")
        if head[4:] in _TEXTS and found is None and length > len(key) and file.read(len(key)) == key:
            found = _unpacked(head[4:], file.read(min(length, MAX_TEXT + 1) - len(key)))
        end = file.seek(start + length + 4)
        if head[4:] == b"IEND":
            break
    else:
        raise RefusedFileError(f"its PNG has more than {MAX_CHUNKS} chunks")
    if end != source.size:
        raise BrokenFileError("its PNG does not end where the file ends")
    return found


def _unpacked(kind: bytes, data: bytes) -> bytes:
    """The text of a chunk without its key."""
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        data = data[1:]
    elif kind == b"iTXt":
        packed = data[:1] == b"\1"
        data = data[2:].partition(b"\0")[2].partition(b"\0")[2]
    if packed:
        try:
            data = zlib.decompressobj().decompress(data, MAX_TEXT + 1)
        except zlib.error as error:
            raise BrokenFileError(f"its text chunk {KEY} cannot be decompressed") from error
    if len(data) > MAX_TEXT - len(KEY):
        raise RefusedFileError(f"its text chunk {KEY} has more than {MAX_TEXT} characters")
    return data


def _numbers(value: dict[str, Any]) -> object:
    return Numbers(_shape(value[_TENSOR]), value[_TENSOR]) if _TENSOR in value else value


def _shape(values: object) -> Shape:
    """The shape of nested lists of numbers.

    Raises:
        ValueError: they are not all numbers, or lists of one length.
    """
    shape: list[int] = []
    level: list[Any] = [values]
    while any(isinstance(one, list) for one in level):
        lengths = {len(one) if isinstance(one, list) else -1 for one in level}
        if len(lengths) > 1 or len(shape) == MAX_DIMENSIONS:
            raise ValueError(f"lists of {len(lengths)} lengths, {len(shape) + 1} deep")
        shape.append(lengths.pop())
        level = [item for one in level for item in one]
    for item in level:
        if isinstance(item, bool) or not isinstance(item, (int, float)) or not abs(item) <= _LARGEST:
            raise ValueError(f"{str(item)[:40]!r} among its numbers")
    return tuple(shape)

"""Structure of the formats that hold no named tensors for us: ONNX graphs, PNG embeddings, plain archives, styles."""

from generate_on_cloud.contract.assets import MAX_STYLES_BYTES
from generate_on_cloud.model_files.archives import MAX_MEMBERS, open_zip, plain_members
from generate_on_cloud.model_files.ranges import ByteSource
from generate_on_cloud.model_files.refusals import RefusedFileError
from generate_on_cloud.webui.prompt.errors import StylesFileError
from generate_on_cloud.webui.prompt.styles import read_styles

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_FIELDS = 10_000
_ONNX_GRAPH = 7
_FIXED = {1: 8, 5: 4}
"""Bytes of protobuf's fixed wire types."""


def check_onnx(source: ByteSource) -> None:
    """Walk the top level of a protobuf `ModelProto`: it must end where the file ends and hold a graph.

    Raises:
        RefusedFileError: it does not.
    """
    offset, fields = 0, set()
    for _ in range(_MAX_FIELDS):
        if offset >= source.size:
            break
        tag, offset = _varint(source, offset)
        number, wire = tag >> 3, tag & 7
        fields.add(number)
        if wire == 0:
            _, offset = _varint(source, offset)
        elif wire == 2:
            length, offset = _varint(source, offset)
            offset += length
        elif wire in _FIXED:
            offset += _FIXED[wire]
        else:
            raise RefusedFileError("it is not an ONNX model")
    if offset != source.size or _ONNX_GRAPH not in fields:
        raise RefusedFileError("it is not a complete ONNX model")


def check_png(source: ByteSource) -> None:
    """Walk the chunks of a PNG to its end, which must be the file's.

    Raises:
        RefusedFileError: they do not lead there.
    """
    if source.read(0, 8) != _PNG:
        raise RefusedFileError("it is not a PNG picture")
    offset = 8
    while True:
        head = source.read(offset, 8)
        if len(head) < 8:
            raise RefusedFileError("its PNG is truncated")
        offset += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            break
    if offset != source.size:
        raise RefusedFileError("its PNG does not end where the file ends")


def check_archive(source: ByteSource) -> None:
    """A zip archive that a user packed, its table of contents sound.

    Raises:
        RefusedFileError: it is not.
    """
    with open_zip(source, most_members=MAX_MEMBERS) as archive:
        plain_members(archive, archive_bytes=source.size)


def check_styles(source: ByteSource) -> None:
    """WebUI's styles.csv, whole.

    Raises:
        RefusedFileError: it is none.
    """
    try:
        read_styles(source.read(0, MAX_STYLES_BYTES))
    except StylesFileError as error:
        raise RefusedFileError(f"it is not a styles file: {error}") from error


def _varint(source: ByteSource, offset: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(source.read(offset, 10)):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, offset + count + 1
    raise RefusedFileError("it is not a complete ONNX model")

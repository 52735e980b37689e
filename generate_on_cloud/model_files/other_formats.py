"""Structural checks of files that are not read as named tensors: ONNX graphs, PNG embeddings, archives, styles."""

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
"""Sizes in bytes of protobuf's fixed-width wire types."""


def check_onnx(source: ByteSource) -> None:
    """Check the top level of a protobuf `ModelProto`: it must end where the file ends and contain a graph.

    Raises:
        RefusedFileError: the file is not a complete ONNX model.


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
    """Check the chunks of a PNG, whose last one must end where the file ends.

    Raises:
        RefusedFileError: the file is not a complete PNG.
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
    """Check the table of contents of a user's zip archive.

    Raises:
        RefusedFileError: the archive or one of its members is not allowed.
    """
    with open_zip(source, most_members=MAX_MEMBERS) as archive:
        plain_members(archive, archive_bytes=source.size)


def check_styles(source: ByteSource) -> None:
    """Check a whole styles.csv of WebUI.

    Raises:
        RefusedFileError: it cannot be read as a styles file.
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

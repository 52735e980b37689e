"""Structural checks of files that are not read as named tensors: ONNX graphs and styles."""

from generate_on_cloud.contract.assets import MAX_STYLES_BYTES
from generate_on_cloud.model_files.ranges import ByteSource, RangedFile
from generate_on_cloud.model_files.refusals import RefusedFileError
from generate_on_cloud.webui.prompt.errors import StylesFileError
from generate_on_cloud.webui.prompt.styles import read_styles

_MAX_FIELDS = 10_000
_ONNX_GRAPH = 7
_FIXED = {1: 8, 5: 4}
"""Sizes in bytes of protobuf's fixed-width wire types."""


def check_onnx(source: ByteSource) -> None:
    """Check the top level of a protobuf `ModelProto`: it must end where the file ends and contain a graph.

    Raises:
        RefusedFileError: the file is not a complete ONNX model.
    """
    file, fields = RangedFile(source), set()
    for _ in range(_MAX_FIELDS):
        if file.tell() >= source.size:
            break
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        fields.add(number)
        if wire == 0:
            _varint(file)
        elif wire == 2:
            file.seek(_varint(file), 1)
        elif wire in _FIXED:
            file.seek(_FIXED[wire], 1)
        else:
            raise RefusedFileError("it is not an ONNX model")
    if file.tell() != source.size or _ONNX_GRAPH not in fields:
        raise RefusedFileError("it is not a complete ONNX model")


def check_styles(source: ByteSource) -> None:
    """Check a whole styles.csv of WebUI.

    Raises:
        RefusedFileError: it cannot be read as a styles file.
    """
    try:
        read_styles(source.read(0, MAX_STYLES_BYTES))
    except StylesFileError as error:
        raise RefusedFileError(f"it is not a styles file: {error}") from error


def _varint(file: RangedFile) -> int:
    value, start = 0, file.tell()
    for count, byte in enumerate(file.read(10)):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            file.seek(start + count + 1)
            return value
    raise RefusedFileError("it is not a complete ONNX model")

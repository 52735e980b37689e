"""The contents of a file of named tensors; the suffix of its name gives the format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from generate_on_cloud.model_files.family_names import Shapes
from generate_on_cloud.model_files.mistaken_files import refuse_mistaken
from generate_on_cloud.model_files.ranges import ByteSource
from generate_on_cloud.model_files.safetensors_header import read_safetensors_header
from generate_on_cloud.model_files.saved_tensors import read_torch_file, tensor_shapes


@dataclass(frozen=True)
class FileContent:
    shapes: Shapes
    metadata: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[Any, Any] = field(default_factory=dict)
    """The dictionary in a pickle, with descriptions in place of tensors."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Where in the file of a pickle each storage starts, by its key."""
    data_start: int | None = None
    """Offset of the first byte after a safetensors header."""


def read_content(source: ByteSource, *, name: str) -> FileContent:
    """Read the header of a `.safetensors` file, or the pickle in any other file, with a few range reads.

    Raises:
        BrokenFileError: the file is incomplete or malformed.
        RefusedFileError: it contains more than tensors.
    """
    suffix = PurePosixPath(name).suffix.lower()
    refuse_mistaken(source, suffix)
    if suffix == ".safetensors":
        header = read_safetensors_header(source)
        return FileContent(header.shapes, header.metadata, data_start=header.data_start)
    saved = read_torch_file(source)
    return FileContent(tensor_shapes(saved.document), document=saved.document, places=saved.places)

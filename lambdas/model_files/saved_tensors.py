"""Files that `torch.save` wrote: the zip of today and the row of pickles of before 1.6."""

import zipfile
from collections.abc import Mapping
from typing import IO, Any, cast

from lambdas.model_files.memory_bytes import MemoryBytes
from lambdas.model_files.pickle_document import Tensor, read_pickle
from lambdas.model_files.ranges import MIB, ByteSource, RangedFile, RefusedFileError

MAX_MEMBERS = 100_000
MAX_PICKLE_BYTES = 32 * MIB
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_torch_file(source: ByteSource) -> Any:
    """The document a `.pt`, `.ckpt`, `.pth` or `.bin` file holds; see `read_pickle` for what stands for tensors.

    Raises:
        RefusedFileError: it is truncated, packed, or holds more than tensors.
    """
    if source.read(0, 4) == b"PK\x03\x04":
        return _read_zip(source)
    return _read_legacy(source)


def tensor_shapes(document: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors by name: of the document itself, or of the dictionary it keeps them in."""
    if not isinstance(document, dict):
        raise RefusedFileError(f"it holds a {type(document).__name__}, not a dictionary of tensors")
    for wrapping in ("state_dict", "params_ema", "params", "model"):
        if isinstance(document.get(wrapping), dict):
            document = document[wrapping]
            break
    return {
        name: value.shape for name, value in document.items() if isinstance(name, str) and isinstance(value, Tensor)
    }


def open_archive(source: ByteSource) -> zipfile.ZipFile:
    """A zip archive, its table of contents checked.

    Raises:
        RefusedFileError: it is broken, too large or its members lie outside their folder.
    """
    try:
        archive = zipfile.ZipFile(cast("IO[bytes]", RangedFile(source)))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise RefusedFileError(f"it is no complete zip archive ({error})") from error
    members = archive.infolist()
    if not 0 < len(members) <= MAX_MEMBERS:
        raise RefusedFileError(f"its archive has {len(members)} members; allowed: 1 to {MAX_MEMBERS}")
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise RefusedFileError(f"its archive member {member.filename[:100]!r} lies outside the archive's folder")
        if member.header_offset + member.compress_size > source.size:
            raise RefusedFileError(f"its archive member {member.filename[:100]!r} lies outside the file")
    return archive


def _read_zip(source: ByteSource) -> Any:
    with open_archive(source) as archive:
        packed = next((m for m in archive.infolist() if m.compress_type != zipfile.ZIP_STORED), None)
        if packed is not None:
            raise RefusedFileError(f"its archive member {packed.filename[:100]!r} is compressed, as torch never does")
        documents = [member for member in archive.infolist() if member.filename.endswith("/data.pkl")]
        if len(documents) != 1:
            raise RefusedFileError("it is no archive that torch wrote: there is no single data.pkl in it")
        if documents[0].file_size > MAX_PICKLE_BYTES:
            raise RefusedFileError(f"its pickle has {documents[0].file_size} bytes; allowed: {MAX_PICKLE_BYTES}")
        try:
            data = archive.read(documents[0])
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise RefusedFileError(f"its pickle cannot be read ({error})") from error
    return read_pickle(RangedFile(MemoryBytes(data)))


def _read_legacy(source: ByteSource) -> Any:
    file = RangedFile(source)
    first = read_pickle(file)
    if first != _LEGACY_MAGIC:
        if isinstance(first, Mapping):
            return first
        raise RefusedFileError("it is no file that torch wrote")
    read_pickle(file)  # protocol version
    read_pickle(file)  # sizes of the machine that wrote it
    return read_pickle(file)

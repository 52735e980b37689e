"""Files that `torch.save` wrote: the zip of today and the row of pickles of before 1.6."""

import zipfile
from collections.abc import Mapping
from typing import IO, Any, cast

from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.pickle_document import PickleDocument, Storage, Tensor, read_pickle
from generate_on_cloud.model_files.ranges import MIB, ByteSource, RangedFile, RefusedFileError
from generate_on_cloud.model_files.torch_archives import BYTE_ORDER, odd_member, repeated_member

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
        names = [member.filename for member in archive.infolist()]
        documents = [name for name in names if name.endswith("/data.pkl")]
        if len(documents) != 1:
            raise RefusedFileError("it is no archive that torch wrote: there is no single data.pkl in it")
        if (odd := odd_member(names) or repeated_member(names)) is not None:
            raise RefusedFileError(f"its archive member {odd[:100]!r} is none that torch writes beside tensors")
        folder = documents[0].removesuffix("data.pkl")
        order = _content(archive, f"{folder}byteorder") if f"{folder}byteorder" in names else BYTE_ORDER
        if order != BYTE_ORDER:
            raise RefusedFileError(f"its byte order is {order[:20]!r}; allowed: {BYTE_ORDER!r}")
        data = RangedFile(MemoryBytes(_content(archive, documents[0])))
        document = read_pickle(data, most_tensor_bytes=source.size)
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        for storage in document.storages.values():
            there = sizes.get(f"{folder}data/{storage.key}", 0)
            if there < storage.bytes:
                raise RefusedFileError(
                    f"its tensors need {storage.bytes} bytes of data/{storage.key[:20]}, there are {there}"
                )
    return document.content


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MAX_PICKLE_BYTES:
        raise RefusedFileError(f"its {name[:100]!r} has {size} bytes; allowed: {MAX_PICKLE_BYTES}")
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise RefusedFileError(f"its {name[:100]!r} cannot be read ({error})") from error


def _read_legacy(source: ByteSource) -> Any:
    file = RangedFile(source)

    def following() -> PickleDocument:
        return read_pickle(file, most_tensor_bytes=source.size)

    first = following().content
    if first != _LEGACY_MAGIC:
        if isinstance(first, Mapping):
            return first
        raise RefusedFileError("it is no file that torch wrote")
    following()  # protocol version
    following()  # sizes of the machine that wrote it
    document = following()
    _check_stretches(file, document.storages, keys=following().content)
    return document.content


def _check_stretches(file: RangedFile, storages: Mapping[str, Storage], *, keys: Any) -> None:
    """Behind an older file's pickles: for each storage the number of its elements in eight bytes, and the elements."""
    if not isinstance(keys, list) or set(keys) != storages.keys():
        raise RefusedFileError("it is truncated, or lists other storages than its tensors use")
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        length = count * storages[key].item_bytes
        if length < storages[key].bytes or length > file.size - file.tell():
            raise RefusedFileError(
                f"it is truncated: its tensors need {storages[key].bytes} bytes of storage {key[:20]!r}"
            )
        file.seek(length, 1)

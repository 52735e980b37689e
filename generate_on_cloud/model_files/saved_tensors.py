"""Files written by `torch.save`: today's zip archives, and the sequences of pickles from before torch 1.6."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from generate_on_cloud.model_files.archives import placed_zip
from generate_on_cloud.model_files.pickle_calls import Made, Storage, Tensor
from generate_on_cloud.model_files.pickle_document import PickleDocument, Work, read_pickle
from generate_on_cloud.model_files.ranges import MIB, ByteSource, RangedFile
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.torch_archives import BYTE_ORDER, odd_member
from generate_on_cloud.model_files.wrappings import unwrapped

MAX_MEMBERS = 20_000
"""A checkpoint of Stable Diffusion XL has 2,500 tensors, each of which is a member."""
MAX_PICKLE_BYTES = 32 * MIB
_ZIP_START = b"PK\x03\x04"
_LEGACY_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001


@dataclass(frozen=True)
class SavedTensors:
    """The contents of a file that `torch.save` wrote."""

    document: dict[Any, Any]
    """The dictionary of tensors, unwrapped if it was nested; tensors are described as `read_pickle` does."""
    places: Mapping[str, int]
    """Where in the file each storage starts, by its key."""


def read_torch_file(source: ByteSource) -> SavedTensors:
    """Read a `.pt`, `.ckpt`, `.pth` or `.bin` file without the bytes of its tensors.

    Raises:
        BrokenFileError: the file is truncated, compressed, or not written by torch.
        RefusedFileError: it contains more than tensors.
    """
    document, places = (_read_zip if source.read(0, 4) == _ZIP_START else _read_legacy)(source)
    if not isinstance(document, dict):
        found = document.by if isinstance(document, Made) else type(document).__name__
        raise RefusedFileError(f"it holds a {found}, not a dictionary of tensors")
    return SavedTensors(unwrapped(document), places)


def tensor_shapes(document: Mapping[Any, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the named tensors in the dictionary, or of those one level below; other entries are left out."""
    shapes = _shapes(document)
    if shapes:
        return shapes
    inner = {name: value for name, value in document.items() if isinstance(name, str) and isinstance(value, dict)}
    return {f"{name}.{last}": shape for name, value in inner.items() for last, shape in _shapes(value).items()}


def _shapes(document: Mapping[Any, Any]) -> dict[str, tuple[int, ...]]:
    return {
        name: value.shape for name, value in document.items() if isinstance(name, str) and isinstance(value, Tensor)
    }


def _read_zip(source: ByteSource) -> tuple[Any, Mapping[str, int]]:
    archive, starts = placed_zip(source, most_members=MAX_MEMBERS)
    with archive:
        members = {member.filename: member for member in archive.infolist()}
        # torch stores its members uncompressed; a compressed one could unpack to far more than the file's size.
        packed = next((name for name, one in members.items() if one.compress_type != zipfile.ZIP_STORED), None)
        if packed is not None:
            raise BrokenFileError(f"its archive member {packed[:100]!r} is compressed, as torch never does")
        names = archive.namelist()
        documents = [name for name in names if name.endswith("/data.pkl")]
        if len(documents) != 1:
            raise BrokenFileError("it is not an archive that torch wrote: it does not hold exactly one data.pkl")
        if (odd := odd_member(names)) is not None:
            raise RefusedFileError(
                f"unexpected archive member {odd[:100]!r}; torch writes only tensors and its own index there"
            )
        folder = documents[0].removesuffix("data.pkl")
        order = _content(archive, f"{folder}byteorder") if f"{folder}byteorder" in members else BYTE_ORDER
        if order != BYTE_ORDER:
            raise RefusedFileError(f"its byte order is {order[:20]!r}; allowed: {BYTE_ORDER!r}")
        pickle = BytesIO(_content(archive, documents[0]))
        document = read_pickle(pickle, most_tensor_bytes=source.size, work=Work())
    for storage in document.storages.values():
        member = members.get(f"{folder}data/{storage.key}")
        there = 0 if member is None else member.file_size
        if member is None or there < storage.bytes:
            raise BrokenFileError(
                f"its tensors need {storage.bytes} bytes in data/{storage.key[:20]}, which has {there}"
            )
    return document.content, {key: starts[f"{folder}data/{key}"] for key in document.storages}


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MAX_PICKLE_BYTES:
        raise BrokenFileError(f"its {name[:100]!r} has {size} bytes; allowed: {MAX_PICKLE_BYTES}")
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise BrokenFileError(f"its {name[:100]!r} cannot be read ({error})") from error


def _read_legacy(source: ByteSource) -> tuple[Any, Mapping[str, int]]:
    pickles, work = RangedFile(source, size=min(source.size, MAX_PICKLE_BYTES)), Work()

    def following() -> PickleDocument:
        return read_pickle(pickles, most_tensor_bytes=source.size, work=work)

    if following().content != _LEGACY_MAGIC or following().content != _LEGACY_VERSION:
        raise BrokenFileError("it is not a complete pickle of tensors: it does not begin as torch's files do")
    following()  # integer sizes of the machine that wrote the file
    document = following()
    keys = following().content
    return document.content, _stretches(source, pickles.tell(), document.storages, keys=keys)


def _stretches(source: ByteSource, start: int, storages: Mapping[str, Storage], *, keys: Any) -> Mapping[str, int]:
    """Where the storages lie behind the pickles of an older file: for each its element count in eight bytes, then them.

    Raises:
        BrokenFileError: they are not complete, or not those that the tensors use.
    """
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or len(keys) != len(storages) or set(keys) != storages.keys():
        raise BrokenFileError("it is truncated, or its list of storages differs from those its tensors use")
    file, starts = RangedFile(source), {}
    file.seek(start)
    for key in keys:
        needed = storages[key].bytes
        length = int.from_bytes(file.read(8), "little") * storages[key].item_bytes
        if length != needed or length > file.size - file.tell():
            raise BrokenFileError(f"it is truncated: its tensors need {needed} bytes of storage {key[:20]!r}")
        starts[key] = file.tell()
        file.seek(length, 1)
    return starts

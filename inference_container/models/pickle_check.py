"""Finds what is wrong with a saved file of torch's before torch opens it; nothing is loaded, allocated or run."""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterable
from encodings.aliases import aliases
from pathlib import Path
from typing import Any

from torch import Tensor

from generate_on_cloud.model_files.pickle_names import ALLOWED, TEXT_ENCODINGS, importable_name
from generate_on_cloud.model_files.torch_archives import BYTE_ORDER, odd_member, repeated_member

MAX_PICKLE_BYTES = 32 * 1024**2
MAX_OPCODES = 5_000_000
MAX_MEMBERS = 100_000
MAX_ENCODED_BYTES = 1024**3
"""What `_codecs.encode` could make of the texts in a pickle."""
LEGACY_PICKLES = 5
"""Magic number, version, machine, document and storage keys, in a file of before torch 1.6."""
ZIP_START = b"PK\x03\x04"

_GROWING = {"hex", "base64", "bz2", "uu", "quopri", "zlib", "zip", "rot13", "punycode", "idna", "unicode_escape"}
_GROWING |= {alias for alias, codec in aliases.items() if codec.removesuffix("_codec") in _GROWING}
_GROWING |= {f"{name}_codec" for name in _GROWING}


class UnsafeFileError(Exception):
    """The file is well formed, and asks for more than tensors; the text is the reason."""


class BrokenFileError(Exception):
    """The file is not what torch writes; the text is the reason."""


def check_saved_file(path: Path) -> bool:
    """Whether the file is an archive; otherwise it is a row of pickles.

    Raises:
        UnsafeFileError, BrokenFileError: it must not be loaded.
    """
    with path.open("rb") as stream:
        if stream.read(4) != ZIP_START:
            stream.seek(0)
            _check_pickles(stream.read(MAX_PICKLE_BYTES), LEGACY_PICKLES)
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise BrokenFileError(f"it is no complete zip archive ({error})") from error
    return True


def check_tensor_sizes(document: Any, file_bytes: int) -> None:
    """Every tensor must fit the file: strides of zero and grown storages make as large a one as they please.

    Raises:
        BrokenFileError: one claims more bytes than the file has.
    """
    seen: set[int] = set()
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            claimed = value.numel() * value.element_size()
            if claimed > file_bytes:
                raise BrokenFileError(f"a tensor of shape {list(value.shape)} claims {claimed} bytes of {file_bytes}")
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif type(value).__module__.startswith("inference_container."):
            waiting.append(vars(value))


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise BrokenFileError(f"its archive has {len(members)} members; allowed: {MAX_MEMBERS}")
    names = [member.filename for member in members]
    # torch stores its members uncompressed; a compressed one could unpack to far more than the file's size.
    packed = next((member.filename for member in members if member.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise BrokenFileError(f"its archive member {packed[:100]!r} is compressed")
    if (odd := odd_member(names)) is not None:
        raise UnsafeFileError(f"its archive member {odd[:100]!r} is none that torch writes beside tensors")
    if (twice := repeated_member(names)) is not None:
        raise BrokenFileError(f"its archive member {twice[:100]!r} is there twice")
    named = {member.filename.partition("/")[2]: member for member in members}
    if "data.pkl" not in named:
        raise BrokenFileError("there is no data.pkl in its archive")
    order = _content(archive, named["byteorder"]) if "byteorder" in named else BYTE_ORDER
    if order != BYTE_ORDER:
        raise UnsafeFileError(f"its byte order is {order[:20]!r}; allowed: {BYTE_ORDER!r}")
    _check_pickles(_content(archive, named["data.pkl"]), 1)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_PICKLE_BYTES:
        raise BrokenFileError(f"its {member.filename!r} has {member.file_size} bytes; allowed: {MAX_PICKLE_BYTES}")
    return archive.read(member)


def _check_pickles(data: bytes, count: int) -> None:
    stream = io.BytesIO(data)
    try:
        for _ in range(count):
            _check_instructions(pickletools.genops(stream))
    except (IndexError, OverflowError, ValueError) as error:
        raise BrokenFileError(f"it is no complete pickle of tensors ({str(error)[:100]})") from error


def _check_instructions(instructions: Iterable[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> None:
    encodes, calls, longest, growing = False, 0, 0, ""
    for number, (opcode, argument, _) in enumerate(instructions):
        if number > MAX_OPCODES:
            raise BrokenFileError(f"its pickle has more than {MAX_OPCODES} instructions")
        if opcode.name == "GLOBAL":
            name = importable_name(argument)
            if name not in ALLOWED:
                raise UnsafeFileError(f"its pickle names {name[:100]!r}, which is no part of a tensor")
            encodes |= name == "_codecs.encode"
        elif opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"):
            raise UnsafeFileError(f"its pickle uses the instruction {opcode.name}, which no plain tensor file needs")
        elif opcode.name == "REDUCE":
            calls += 1
        elif isinstance(argument, str):
            longest = max(longest, len(argument))
            if re.sub("[^a-z0-9]+", "_", argument.lower()).strip("_") in _GROWING:
                growing = argument
    if encodes and (growing or calls * longest > MAX_ENCODED_BYTES):
        raise UnsafeFileError(f"its pickle encodes texts beyond {', '.join(sorted(TEXT_ENCODINGS))} or measure")

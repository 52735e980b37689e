"""Zip archives, whose table of contents is checked before any member is read; no member may lie outside the archive."""

import stat
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, cast

from generate_on_cloud.model_files.ranges import ByteSource, RangedFile
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.zip_layout import find_table, places_of

MAX_MEMBERS = 1_000
MAX_GROWTH = 10
"""An archive may unpack to this many times its size: weights hardly compress, word lists compress to a fifth."""
SLACK = 2**20
"""Bytes that every archive may unpack to in addition, however small it is."""
METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db")
"""Members that operating systems add to archives by themselves."""
_ENCRYPTED = 0x1


def open_zip(source: ByteSource, *, most_members: int) -> zipfile.ZipFile:
    """Open a zip archive after checking that its members fill the file and lie inside the archive's folder.

    Raises:
        BrokenFileError: the archive is incomplete or malformed.
        RefusedFileError: it has no members, too many, two of one name, or one whose path leads out of it.
    """
    return placed_zip(source, most_members=most_members)[0]


def placed_zip(source: ByteSource, *, most_members: int) -> tuple[zipfile.ZipFile, Mapping[str, int]]:
    """What `open_zip` opens, and where in the file the bytes of each member start."""
    table = find_table(source)
    if not 0 < table.members <= most_members:
        raise RefusedFileError(f"its archive has {table.members} members; allowed: 1 to {most_members}")
    try:
        archive = zipfile.ZipFile(cast("IO[bytes]", RangedFile(source)))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise BrokenFileError(f"it is not a complete zip archive ({error})") from error
    members = archive.infolist()
    if len(members) != table.members or archive.start_dir != table.start:
        raise BrokenFileError("its zip archive has another table of contents than its end record says")
    if (twice := repeated_member([member.filename for member in members])) is not None:
        raise BrokenFileError(f"it has two members called {twice[:100]!r}")
    for member in members:
        _check_place(member, archive_bytes=source.size)
    return archive, places_of(source, archive, table)


def plain_members(archive: zipfile.ZipFile, *, archive_bytes: int) -> Mapping[str, zipfile.ZipInfo]:
    """The files in a user's archive by their paths, without the members that operating systems add.

    Raises:
        RefusedFileError: a member is encrypted, a link or compressed by another method, or the members unpack to more
            than the limit.
    """
    files: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        _check_kind(member)
        if member.is_dir() or member.filename.startswith(IGNORED) or member.filename.endswith(IGNORED):
            continue
        files[member.filename] = member
    size, limit = sum(member.file_size for member in archive.infolist()), MAX_GROWTH * archive_bytes + SLACK
    if size > limit:
        raise RefusedFileError(f"it unpacks to {size} bytes; allowed: {limit} (about {MAX_GROWTH} times its size)")
    return files


def repeated_member(names: Sequence[str]) -> str | None:
    """The first member whose name occurs twice: two readers could pick different ones."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _check_place(member: zipfile.ZipInfo, *, archive_bytes: int) -> None:
    name = member.orig_filename
    parts = name.split("/")
    if not parts[0] or ".." in parts or ":" in parts[0] or "\\" in name or "\0" in name:
        raise RefusedFileError(f"its archive member {name[:100]!r} lies outside the archive's folder")
    if member.compress_type == zipfile.ZIP_STORED and member.compress_size != member.file_size:
        raise BrokenFileError(f"its archive member {name[:100]!r} has two sizes")
    if member.header_offset + member.compress_size > archive_bytes:
        raise BrokenFileError(f"its archive member {name[:100]!r} lies outside the file")


def _check_kind(member: zipfile.ZipInfo) -> None:
    name = member.filename[:100]
    if member.flag_bits & _ENCRYPTED:
        raise RefusedFileError(f"its member {name!r} is encrypted")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RefusedFileError(f"its member {name!r} is a link")
    if member.compress_type not in METHODS:
        allowed = " or ".join(METHODS.values())
        raise RefusedFileError(
            f"its member {name!r} is compressed by method {member.compress_type}; allowed: {allowed}"
        )

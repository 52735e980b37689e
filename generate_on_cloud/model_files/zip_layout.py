"""Where the parts of a zip archive lie: its members and its one table of contents must fill the file without gaps.

Readers differ in how they find the table and whether they believe it or the headers before the members. In an archive
that passes here, all of them find the same members.
"""

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from generate_on_cloud.model_files.ranges import CHUNK, ByteSource
from generate_on_cloud.model_files.refusals import BrokenFileError

_END = struct.Struct("<4s4H2LH")
_WIDE_PLACE = struct.Struct("<4sLQL")
_WIDE_END = struct.Struct("<4sQ2H2L4Q")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_SIGN, _WIDE_PLACE_SIGN, _WIDE_END_SIGN, _LOCAL_SIGN = b"PK\5\6", b"PK\6\7", b"PK\6\6", b"PK\3\4"
_MOST_COMMENT = 0xFFFF
_NARROW = 0xFFFFFFFF
_DESCRIBED = 0x8
"""The flag of a member whose sizes follow it."""
_NAMED_SO = 0x800
"""The flag of a name in UTF-8."""
_DESCRIPTIONS = (12, 16, 20, 24)
"""Bytes of such sizes, with or without a signature, narrow or wide."""
_JOINED = 64 * 1024
"""Headers that are nearer than this are fetched together."""
_AT_ONCE = 16


@dataclass(frozen=True)
class TableOfContents:
    members: int
    start: int
    end: int


def find_table(source: ByteSource) -> TableOfContents:
    """Find the table from the end record, which must follow it and end the file.

    Raises:
        BrokenFileError: there is no such table, or more than one reader could find.
    """
    at = max(0, source.size - _END.size - _MOST_COMMENT)
    tail = source.read(at, source.size - at)
    place = tail.rfind(_END_SIGN)
    if place < 0 or len(tail) - place < _END.size:
        raise BrokenFileError("it is not a complete zip archive (it has no end record)")
    _, disk, first_disk, here, members, size, start, comment = _END.unpack_from(tail, place)
    end = at + place
    if end + _END.size + comment != source.size:
        raise BrokenFileError("it is not a complete zip archive (its end record does not end it)")
    wide = source.read(max(0, end - _WIDE_PLACE.size), _WIDE_PLACE.size)
    if wide.startswith(_WIDE_PLACE_SIGN) and len(wide) == _WIDE_PLACE.size:
        end = end - _WIDE_PLACE.size - _WIDE_END.size
        record = source.read(end, _WIDE_END.size) if end >= 0 else b""
        if _WIDE_PLACE.unpack(wide)[2] != end or not record.startswith(_WIDE_END_SIGN):
            raise BrokenFileError("its zip archive has its 64-bit end record in another place than it says")
        narrow = (here, members, size, start)
        _, length, _, _, disk, first_disk, here, members, size, start = _WIDE_END.unpack(record)
        found = (here, members, size, start)
        if not _agree(narrow, found, (0xFFFF, 0xFFFF, _NARROW, _NARROW)) or length != _WIDE_END.size - 12:
            raise BrokenFileError("its zip archive has two end records that differ")
    if disk or first_disk or here != members:
        raise BrokenFileError("its zip archive is one of several parts")
    if start + size != end:
        raise BrokenFileError("its zip archive has a table of contents that does not end at its end record")
    return TableOfContents(members, start, end)


def places_of(source: ByteSource, archive: zipfile.ZipFile, table: TableOfContents) -> Mapping[str, int]:
    """Where the bytes of each member start, by its name.

    Raises:
        BrokenFileError: members overlap, leave gaps, or differ from the headers before them.
    """
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    ends = [member.header_offset for member in members[1:]] + [table.start]
    if members and members[0].header_offset != 0:
        raise BrokenFileError(f"its zip archive begins with {members[0].header_offset} bytes that are no member")
    places = {}
    for member, end, head in zip(members, ends, _heads(source, members), strict=True):
        name = member.orig_filename[:100]
        start = _start(member, head)
        over = end - start - member.compress_size
        if over != 0 and not (member.flag_bits & _DESCRIBED and over in _DESCRIPTIONS):
            what = "overlaps what follows it" if over < 0 else f"is followed by {over} bytes that are no member"
            raise BrokenFileError(f"its archive member {name!r} {what}")
        places[member.filename] = start
    return places


def _agree(said: Sequence[int], found: Sequence[int], elsewhere: Sequence[int]) -> bool:
    """Whether each number is the one found, or says that it is written elsewhere."""
    return all(one in (there, other) for one, there, other in zip(said, found, elsewhere, strict=True))


def _start(member: zipfile.ZipInfo, head: bytes) -> int:
    name = member.orig_filename[:100]
    if len(head) < _LOCAL.size or not head.startswith(_LOCAL_SIGN):
        raise BrokenFileError(f"its archive member {name!r} has no header")
    _, _, flags, method, _, _, checksum, packed, size, name_length, extra = _LOCAL.unpack_from(head)
    start: int = member.header_offset + _LOCAL.size + name_length + extra
    named = head[_LOCAL.size : _LOCAL.size + name_length]
    sizes = (member.CRC, member.compress_size, member.file_size)
    said = (checksum, packed, size)
    same = _agree(said, sizes, (-1, _NARROW, _NARROW)) or bool(flags & _DESCRIBED and _agree(said, sizes, (0, 0, 0)))
    encoding = "utf-8" if member.flag_bits & _NAMED_SO else "cp437"
    same = same and (flags, method) == (member.flag_bits, member.compress_type)
    if not same or named != member.orig_filename.encode(encoding, "replace"):
        raise BrokenFileError(f"its archive member {name!r} differs from the header before it")
    return start


def _heads(source: ByteSource, members: Sequence[zipfile.ZipInfo]) -> Iterator[bytes]:
    """The header before each member, of which those of small members are fetched together."""
    groups: list[list[tuple[int, int]]] = []
    for member in members:
        span = (member.header_offset, member.header_offset + _LOCAL.size + 4 * len(member.orig_filename))
        if groups and span[1] - groups[-1][0][0] <= _JOINED:
            groups[-1].append(span)
        else:
            groups.append([span])

    def fetched(group: list[tuple[int, int]]) -> bytes:
        start = group[0][0]
        return source.read(start, max(end for _, end in group) - start)

    with ThreadPoolExecutor(_AT_ONCE if source.size > CHUNK else 1) as pool:
        for group, block in zip(groups, pool.map(fetched, groups), strict=True):
            first = group[0][0]
            yield from (block[start - first : end - first] for start, end in group)

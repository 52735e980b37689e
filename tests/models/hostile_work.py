"""Pickles whose cost is in reading them, not in a name or a size, and archives that two readers would read differently.

Each row: what it is, its bytes, and a pattern of the reason it is refused for.
"""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

from tests.models.hostile_files import SOUND, entered, instructions, resaved

Row = tuple[str, bytes, str]


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _long(value: int) -> bytes:
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def _name(path: str) -> bytes:
    module, _, name = path.rpartition(".")
    return f"c{module}\n{name}\n".encode()


TWICE = b")q\0" + b"h\0\x86q\0" * 60
"""A tuple of the tuple before, twice, sixty times."""
GROWS = "grows to more than 5000000 items"
KEY = "a tuple as the key of an entry"
COPIES = "copies more data with"
SET = _name("__builtin__.set")
ORDERED = _name("collections.OrderedDict")
NUMBERS = b"(" + b"K\1" * 100_000 + b"tq\1"
"""A tuple of numbers, kept as number 1."""
PAIRS = b"](" + b"".join(_long(number) + b"N\x86" for number in range(60_000)) + b"eq\1"

PICKLES: list[Row] = [
    ("shared tuples as a key", instructions(b"}" + TWICE + b"K\1s"), KEY),
    ("shared tuples as one of many keys", instructions(b"}(" + TWICE + b"K\1u"), KEY),
    ("shared tuples in a set", entered(SET + b"]" + TWICE + b"a\x85R"), KEY),
    ("shared tuples as an ordered key", entered(ORDERED + b"]" + TWICE + b"K\1\x86a\x85R"), KEY),
    ("shared tuples as an encoding", entered(_name("_codecs.encode") + _text("a") + TWICE + b"\x86R"), "text encoding"),
    ("shared tuples as a storage", entered(b"(" + _text("storage") + TWICE + b"NNK\1tQ"), "does not name a storage"),
    ("shared tuples as a value", entered(TWICE), GROWS),
    ("shared lists", entered(b"(]q\0" + b"](h\0h\0eq\0" * 60 + b"t"), GROWS),
    ("shared dictionaries", entered(b"(}q\0" + b"}(K\1h\0K\2h\0uq\0" * 60 + b"t"), GROWS),
    ("a text many times", entered(b"(" + _text("a" * 2**20) + b"q\0](" + b"h\0" * 9 + b"et"), GROWS),
    ("400,000 tuples deep", entered(b")" + b"\x85" * 400_000), "nested more than 50 deep"),
    ("400,000 tuples deep in a set", entered(SET + b"])" + b"\x85" * 400_000 + b"a\x85R"), KEY),
    ("200,000 lists deep", entered(b"]" * 200_000 + b"a" * 199_999), "nested more than 50 deep"),
    ("a list in itself", entered(b"]q\0h\0a"), "holds itself"),
    ("a dictionary in itself", instructions(b"}q\0" + _text("x") + b"h\0s"), "holds itself"),
    ("a dictionary copied by calls", entered(PAIRS + (ORDERED + b"h\1\x85R") * 3_000), COPIES),
    (
        "a dictionary copied by states",
        instructions(
            b"}(" + b"".join(_long(number) + b"N" for number in range(60_000)) + b"uq\1"
            + _name("torch.nn.modules.container.ParameterDict") + b")R" + b"h\1b" * 3_000
        ),
        "copies more data with 'torch.nn.modules.container.ParameterDict'",
    ),
    ("many arguments", entered(NUMBERS + (_name("torch.device") + b"h\1R") * 30_000), COPIES),
    ("many arguments for __new__", entered(NUMBERS + (_name("numpy.dtype") + b"h\1\x81") * 30_000), COPIES),
    ("letters of a text", entered(_text("a" * 2**20) + b"q\1" + (_name("torch.Size") + b"h\1\x85R") * 50), "no size"),
    (
        "keys that collide",
        instructions(b"}(" + b"".join(_long(number * (2**61 - 1)) + b"N" for number in range(100_000)) + b"u"),
        "a number beyond 2147483648 as its key",
    ),
    (
        "long keys that are equal",
        instructions(
            b"}" + _text("a" * 2**23) + b"q\1N" + b"s" + _text("a" * 2**23) + b"q\2Ns" + b"h\1Nsh\2Ns" * 50_000
        ),
        "name has 8388608 characters; allowed: 1000",
    ),
    ("a key of half a character", instructions(b"}X\3\0\0\0\xed\xa0\x80Ns"), "is not text"),
    (
        "a tensor of many dimensions",
        entered(
            _name("torch._utils._rebuild_tensor_v2")
            + b"((" + _text("storage") + _name("torch.FloatStorage") + _text("0") + _text("cpu") + b"K\4tQK\0"
            + b"(" + _long(2**62) * 100_000 + b"t" + b")" + b"\x89}tR"
        ),
        "a tensor has no size",
    ),
    (
        "a storage of many parts",
        entered(b"](" + b"(" + _text("storage") + b"K\1" * 100_000 + b"tq\1" + b"h\1Q" * 30_000 + b"e"),
        "another length than torch's",
    ),
    ("too many instructions", entered(b"](" + b"K\1" * 1_000_000 + b"e"), "more than 500000 instructions"),
    ("names without number", entered(b"](" + SET * 500_000 + b"e"), "more than 10000 names"),
]  # fmt: skip


def _end(data: bytes) -> tuple[int, int, int]:
    """Where the end record is, and the size and place of the table that it names."""
    at = data.rindex(b"PK\5\6")
    size, start = struct.unpack_from("<2L", data, at + 12)
    return at, size, start


def _renamed_end(data: bytes, *, size: int = 0, start: int = 0, members: int = 0) -> bytes:
    at, old_size, old_start = _end(data)
    count = struct.unpack_from("<H", data, at + 8)[0] + members
    return data[:at] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, old_size + size, old_start + start, 0)


def _in_table(data: bytes, name: bytes, change: Callable[[bytearray], None]) -> bytes:
    """The archive with the entry of a member in its table changed."""
    _, _, start = _end(data)
    at = data.index(name, start) - 46
    entry = bytearray(data[at : at + 46 + len(name)])
    change(entry)
    return data[:at] + bytes(entry) + data[at + len(entry) :]


def _put(place: int, layout: str, value: int) -> Callable[[bytearray], None]:
    return lambda entry: struct.pack_into(layout, entry, place, value)


PLAIN = resaved()
"""A sound archive without 64-bit records, which torch writes and others do not."""
EVIL = resaved({"archive/data.pkl": b"\x80\x02c__builtin__\neval\n."})


def twin() -> bytes:
    """Evil members, evil table, good members, good table, and an end record whose place is the evil table's."""
    _, _, evil_start = _end(EVIL)
    at, size, _ = _end(PLAIN)
    evil = EVIL[: _end(EVIL)[0]]
    return (
        evil + PLAIN[:at] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[PLAIN.count(b"PK\1\2")] * 2, size, evil_start, 0)
    )


def _between(data: bytes, junk: bytes) -> bytes:
    """The archive with junk between its members and its table, which the end record knows of."""
    _, _, start = _end(data)
    return _renamed_end(data[:start] + junk + data[start:], start=len(junk))


def _doubled(name: str) -> bytes:
    """The archive with a member twice."""
    buffer = io.BytesIO(PLAIN)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr(name, b"\1" * 16)
    return buffer.getvalue()


def _without_wide_record(data: bytes) -> bytes:
    at = data.rindex(b"PK\6\7")
    return data[:at] + data[at + 20 :]


NAME = b"archive/data/0"
LOCAL_NAME = PLAIN.index(NAME)
NOT_AT_THE_END = "a table of contents that does not end at its end record"
ANOTHER = "has another table of contents than its end record says"
ZIPS: list[Row] = [
    ("two tables of contents", twin(), NOT_AT_THE_END),
    ("junk before it all", b"PK\3\4" + b"\0" * 96 + PLAIN, NOT_AT_THE_END),
    (
        "junk that the table knows of",
        _between(PLAIN, b"junk" * 25),
        "is followed by 100 bytes that are no member",
    ),
    ("junk behind it", PLAIN + b"x", "end record does not end it"),
    ("junk before the end record", PLAIN[: _end(PLAIN)[0]] + b"xx" + PLAIN[_end(PLAIN)[0] :], NOT_AT_THE_END),
    ("a member less in the end record", _renamed_end(PLAIN, members=-1), ANOTHER),
    ("a member more in the end record", _renamed_end(PLAIN, members=1), ANOTHER),
    ("a table that is shorter", _renamed_end(PLAIN, size=-46), NOT_AT_THE_END),
    ("two members of one name", _doubled(NAME.decode()), "it has two members called 'archive/data/0'"),
    (
        "a local name differs",
        PLAIN[:LOCAL_NAME] + b"archive/data/1" + PLAIN[LOCAL_NAME + 14 :],
        "differs from the header",
    ),
    ("a size that differs", _in_table(PLAIN, NAME, _put(24, "<L", 4)), "has two sizes"),
    ("both sizes differ", _in_table(_in_table(PLAIN, NAME, _put(24, "<L", 8)), NAME, _put(20, "<L", 8)), "differs"),
    ("a place that differs", _in_table(PLAIN, NAME, _put(42, "<L", 0)), "overlaps|differs|no header"),
    ("a method that differs", _in_table(PLAIN, NAME, _put(10, "<H", 8)), "differs from the header|is compressed"),
    ("a 64-bit end record less", _without_wide_record(SOUND), "64-bit end record|does not end at its end record"),
    ("two end records that differ", _renamed_end(SOUND, members=-1), "two end records that differ"),
    ("torch's after junk", b"PK\3\4" + b"\0" * 96 + SOUND, "64-bit end record in another place"),
    ("an empty archive", b"PK\5\6" + bytes(18), "not a complete pickle"),
]  # fmt: skip

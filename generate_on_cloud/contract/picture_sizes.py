"""Width and height of a picture in a request, from the first bytes of its file."""

import binascii
import struct

LONGEST_HEAD = 2**21
"""Maximum base64 characters that are decoded; metadata may precede a JPEG's size."""
Size = tuple[int, int]


def picture_size(text: str) -> Size | None:
    """Width and height in pixels of a picture as base64 or data URI; None if they cannot be read from its head.

    For JPEG they are those before any rotation by EXIF.
    """
    body = text.partition(",")[2] if text.startswith("data:") else text
    head = "".join(body[:LONGEST_HEAD].split())
    try:
        data = binascii.a2b_base64(head[: len(head) // 4 * 4].encode("ascii"))
        for mark, offset, read in _FORMATS:
            if data[offset : offset + len(mark)] == mark:
                return read(data)
    except (UnicodeEncodeError, binascii.Error, struct.error, LookupError):
        pass
    return None


def _png(data: bytes) -> Size:
    return struct.unpack_from(">II", data, 16)


def _gif(data: bytes) -> Size:
    return struct.unpack_from("<HH", data, 6)


def _bmp(data: bytes) -> Size:
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> Size | None:
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        place += 2 + int(struct.unpack_from(">H", data, place + 2)[0])
    return None


_FORMATS = (
    (b"\x89PNG", 0, _png),
    (b"\xff\xd8\xff", 0, _jpeg),
    (b"WEBP", 8, _webp),
    (b"GIF8", 0, _gif),
    (b"BM", 0, _bmp),
)
"""The bytes that identify a format, their offset, and its reader."""

"""Formats of pictures in requests, by the bytes at a file's beginning: those that are read, and those that are not.

Read are formats that WebUI's Pillow reads, whose decoders are in C, bounded by the file's header and without other
files or programs. Not read are the others: EPS and WMF run programs, an icon holds pictures of other sizes than its
header says, JPEG 2000 needs many times the memory of its pixels, and QOI is decoded pixel by pixel in Python.
"""

import re
from dataclasses import dataclass
from itertools import starmap


@dataclass(frozen=True)
class PictureFormat:
    """One row."""

    name: str
    start: re.Pattern[bytes]
    """Matches a file's beginning."""
    pillow: str | None = None
    """Pillow's name of the format; None: such pictures are not read."""


def _row(name: str, start: bytes, pillow: str | None = None) -> PictureFormat:
    return PictureFormat(name, re.compile(start, re.DOTALL), pillow)


_ROWS = tuple(
    starmap(
        _row,
        (
            ("png", rb"\x89PNG\r\n\x1a\n", "PNG"),
            ("jpeg", rb"\xff\xd8\xff", "JPEG"),
            ("webp", rb"RIFF....WEBP", "WEBP"),
            ("avif", rb"....ftyp(avif|avis|mif1)", "AVIF"),
            ("gif", rb"GIF8", "GIF"),
            ("bmp", rb"BM", "BMP"),
            ("tiff", rb"II\*\0|MM\0\*", "TIFF"),
            ("ppm", rb"P[1-6][\s#]", "PPM"),
            ("dds", rb"DDS ", "DDS"),
            ("jpeg 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
            ("jpeg xl", rb"\xff\x0a|\0\0\0\x0cJXL "),
            ("heic", rb"....ftyp(hei|hev|msf1)"),
            ("ico", rb"\0\0[\x01\x02]\0[^\0]"),
            ("icns", rb"icns"),
            ("psd", rb"8BPS"),
            ("qoi", rb"qoif"),
            ("eps", rb"%!PS|\xc5\xd0\xd3\xc6"),
            ("pdf", rb"%PDF"),
            ("svg", rb"(\xef\xbb\xbf)?\s*(<\?xml|<!--|<svg|<!DOCTYPE svg)"),
            ("wmf", rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF"),
            ("exr", rb"\x76\x2f\x31\x01"),
            ("hdr", rb"#\?(RADIANCE|RGBE)"),
            ("pfm", rb"P[Ff]\s"),
            ("pam", rb"P7\s"),
            ("mp4", rb"....ftyp|\x1aE\xdf\xa3"),
            ("html", rb"\s*<(!DOCTYPE html|html|HTML)"),
            # Without a mark: a colour map or none, a kind, sizes above 0 and a depth.
            (
                "tga",
                rb".([\x00\x01][\x02\x03\x0a\x0b]|\x01[\x01\x09]).{9}(?!\0\0)..(?!\0\0)..[\x08\x0f\x10\x18\x20]",
                "TGA",
            ),
        ),
    )
)
READ_FORMATS = tuple(row for row in _ROWS if row.pillow is not None)


def picture_format(data: bytes) -> PictureFormat | None:
    """The format of a picture file; None if the table does not have it."""
    return next((row for row in _ROWS if row.start.match(data)), None)


def tiff_bits(data: bytes) -> int:
    """Bits of the largest channel of a TIFF's first picture; 1, TIFF's default, if it does not say."""
    order = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == _BITS_PER_SAMPLE:
            count = min(number(entry + 4, 4), _MOST_CHANNELS)
            at = entry + 8 if count <= 2 else number(entry + 8, 4)
            return max((number(at + 2 * channel, 2) for channel in range(count)), default=1)
    return 1


_BITS_PER_SAMPLE = 258
_MOST_CHANNELS = 8

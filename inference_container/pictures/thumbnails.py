"""Small pictures for lists of jobs."""

import io

from PIL import Image

SIDE = 256
"""Pixels of a thumbnail's longer side, at most."""
FORMAT = "webp"
QUALITY = 75


def thumbnail_of(data: bytes) -> bytes:
    """A picture's file made small enough for SIDE × SIDE pixels, as WebP without infotext; never larger than it was.

    Raises:
        OSError, ValueError, Image.DecompressionBombError: the file cannot be read, or is far too large.
    """
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (SIDE, SIDE))
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    small.save(file, FORMAT, quality=QUALITY)
    return file.getvalue()

"""Small pictures for lists of jobs."""

import io

from PIL import Image

from inference_container.pictures.resampling import resample

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
    scale = min(1.0, SIDE / max(small.size))
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    # Means of whole blocks are fast, and leave three pixels for each that the filter makes.
    small = small.reduce(max(1, int(1 / scale / 3)))
    small = resample(small, size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, FORMAT, quality=QUALITY)
    return file.getvalue()

"""The only function that resizes pictures: Pillow's resampling with the order of passes of WebUI's Pillow 9.5."""

from PIL import Image

NO_BLENDING = frozenset({"1", "P"})
"""Modes whose values cannot be mixed, so that Pillow takes the nearest pixel."""
PREMULTIPLIED = {"RGBA": "RGBa", "LA": "La"}


def resample(
    image: Image.Image,
    size: tuple[int, int],
    way: Image.Resampling,
    *,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Resize `image`, or the part of it in `box`, to exactly `size` (width, height), in the same mode.

    It resizes horizontally, then vertically, with 8 bits in between, like every Pillow before 13. Pillow 13 starts with
    the rows if that saves work, which changes values by up to 8 levels. The result here is equal with all versions.

    Args:
        box: left, top, right and bottom in pixels of `image`; None: the whole picture.

    Raises:
        ValueError: the box extends beyond the picture, or a size is below 1.
    """
    whole = (0.0, 0.0, float(image.width), float(image.height))
    left, top, right, bottom = box or whole
    if image.size == size and (left, top, right, bottom) == whole:
        return image.copy()
    if way is Image.Resampling.NEAREST or image.mode in NO_BLENDING:
        return image.resize(size, way, (left, top, right, bottom))
    # Colours are weighted by their opacity once; Pillow would convert, and round, in each pass.
    mixed = image.convert(PREMULTIPLIED[image.mode]) if image.mode in PREMULTIPLIED else image
    wide = mixed.resize((size[0], image.height), way, (left, 0, right, image.height))
    done = wide.resize(size, way, (0, top, size[0], bottom))
    return done.convert(image.mode) if image.mode in PREMULTIPLIED else done

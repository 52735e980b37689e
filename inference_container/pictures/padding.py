"""Fills pictures up to whole cells of latents."""

import numpy as np
from PIL import Image


def cover_cells(image: Image.Image, *, cell: int) -> Image.Image:
    """`image` (L or RGB) with its last column and row repeated until both sides are multiples of `cell`.

    A picture of such a size is returned as it is.
    """
    right, below = -image.width % cell, -image.height % cell
    if right == 0 and below == 0:
        return image
    pixels = np.asarray(image)
    margins = ((0, below), (0, right), (0, 0))[: pixels.ndim]
    return Image.fromarray(np.pad(pixels, margins, mode="edge"))

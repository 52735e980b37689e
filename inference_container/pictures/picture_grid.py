"""Several pictures as one, in rows and columns (WebUI's `image_grid`)."""

import math
from collections.abc import Sequence

from PIL import Image

BACKGROUND = "#ffffff"


def picture_grid(images: Sequence[Image.Image], *, rows: int | None = None) -> Image.Image:
    """RGB; smaller pictures are centred in their cells. Without `rows` there are about as many as columns."""
    rows = min(round(math.sqrt(len(images))) if rows is None else rows, len(images))
    columns = math.ceil(len(images) / rows)
    width, height = max(image.width for image in images), max(image.height for image in images)
    grid = Image.new("RGB", (columns * width, rows * height), BACKGROUND)
    for number, image in enumerate(images):
        left = number % columns * width + (width - image.width) // 2
        top = number // columns * height + (height - image.height) // 2
        grid.paste(image, (left, top))
    return grid

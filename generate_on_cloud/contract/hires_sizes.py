"""How large the first pass of hires fix was before WebUI 1.0, where width and height were those of the result."""

import math

AREA = 512 * 512
GRID = 64


def old_first_size(width: int, height: int) -> tuple[int, int]:
    """Width and height, multiples of 64, of about 512x512 pixels in the aspect ratio of the result."""
    scale = math.sqrt(AREA / (width * height)) if width * height else 1
    return math.ceil(scale * width / GRID) * GRID, math.ceil(scale * height / GRID) * GRID

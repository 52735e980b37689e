"""Texts above and to the left of a grid of pictures (WebUI's `draw_grid_annotations`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from inference_container.pictures.picture_grid import BACKGROUND

FONT = Path(__file__).parent / "fonts" / "Roboto-Regular.ttf"
"""WebUI's own font, by Google under the Apache License 2.0."""
ACTIVE, INACTIVE = "#000000", "#999999"
STROKE = 4
"""Pixels of the line through inactive texts."""


@dataclass(frozen=True)
class Label:
    """A text of a row or column; inactive ones are grey and crossed out."""

    text: str
    active: bool = True


@dataclass(frozen=True)
class Line:
    """A line of a label after wrapping, with its size in pixels."""

    text: str
    active: bool
    width: float
    height: float
    room: int
    """Pixels that it may be wide; a longer word is written smaller."""


Lines = list[Line]


def with_legend(
    grid: Image.Image,
    cell: tuple[int, int],
    *,
    columns: Sequence[Sequence[Label]],
    rows: Sequence[Sequence[Label]],
    margin: int = 0,
) -> Image.Image:
    """`grid`, whose cells have the size `cell`, with the labels of its columns above and those of its rows to the left.

    `margin`: pixels between cells.
    """
    # 1. Wrap the texts and measure them.
    width, height = cell
    size = (width + height) // 25
    gap = size // 2
    left = width * 3 // 4 if any(label.text for labels in rows for label in labels) else 0
    across = [_wrapped(labels, room=width, size=size) for labels in columns]
    down = [_wrapped(labels, room=left, size=size) for labels in rows]
    heights = [sum(line.height + gap for line in lines) - gap for lines in across]
    top = int(max(heights) + gap * 2) if sum(heights) else 0

    # 2. Spread the cells.
    whole = (grid.width + left + margin * (len(columns) - 1), grid.height + top + margin * (len(rows) - 1))
    result = Image.new("RGB", whole, BACKGROUND)
    for row in range(len(rows)):
        for column in range(len(columns)):
            part = grid.crop((width * column, height * row, width * (column + 1), height * (row + 1)))
            result.paste(part, (left + (width + margin) * column, top + (height + margin) * row))

    # 3. Write the texts.
    draw = ImageDraw.Draw(result)
    for column, lines in enumerate(across):
        x = left + (width + margin) * column + width / 2
        _write(draw, (x, top / 2 - heights[column] / 2), lines, size=size, gap=gap)
    for row, lines in enumerate(down):
        y = top + (height + margin) * row + height / 2 - sum(line.height for line in lines) / 2
        _write(draw, (left / 2, y), lines, size=size, gap=gap)
    return result


def _wrapped(labels: Sequence[Label], *, room: int, size: int) -> Lines:
    draw, font = ImageDraw.Draw(Image.new("RGB", (1, 1))), _font(size)
    lines: Lines = []
    for label in labels:
        texts = [""]
        for word in label.text.split():
            longer = f"{texts[-1]} {word}".strip()
            if draw.textlength(longer, font=font) <= room:
                texts[-1] = longer
            else:
                texts.append(word)
        for text in texts:
            left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
            lines.append(Line(text, label.active, right - left, bottom - top, room))
    return lines


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], lines: Lines, *, size: int, gap: int) -> None:
    x, y = at
    for line in lines:
        color = ACTIVE if line.active else INACTIVE
        draw.text((x, y + line.height / 2), line.text, font=_fitting(draw, line, size), fill=color, anchor="mm")
        if not line.active:
            middle, half = y + line.height // 2, line.width // 2
            draw.line((x - half, middle, x + half, middle), fill=INACTIVE, width=STROKE)
        y += line.height + gap


def _fitting(draw: ImageDraw.ImageDraw, line: Line, size: int) -> ImageFont.FreeTypeFont:
    """The font at the largest size up to `size` at which the line fits."""
    while size > 1 and draw.textlength(line.text, font=_font(size)) > line.room:
        size -= 1
    return _font(size)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, max(size, 1))

"""Previews of a running job in the terminal: two pixels in each character, one above the other."""

import io

from PIL import Image, UnidentifiedImageError
from rich.color import Color
from rich.style import Style
from rich.text import Text

from generate_on_cloud.cli.job_bar import JobBar
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL

WIDTH = 48
"""Columns of a preview; a row is two pixels high."""


class Preview:
    """Shows each new preview below the bar of a command."""

    def __init__(self, bar: JobBar) -> None:
        self._bar, self._shown = bar, 0

    def show(self, cloud: GenerateOnCloud, job: JobView) -> None:
        """Show the job's latest preview if it is new; none after the job has finished."""
        count = job.progress.previews if job.progress is not None else 0
        if job.status in TERMINAL:
            self._bar.picture(None)
            return
        if count in (0, self._shown):
            return
        jpeg = cloud.jobs.preview(job)
        if jpeg is None:
            return
        self._shown = count
        self._bar.picture(half_blocks(jpeg))


def half_blocks(jpeg: bytes, *, width: int = WIDTH) -> Text | None:
    """The picture as coloured half blocks, `width` columns wide; None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(jpeg)) as opened:
            rows = max(1, round(width * opened.height / opened.width / 2))
            small = opened.convert("RGB").resize((width, 2 * rows))
    except (UnidentifiedImageError, OSError):
        return None
    text = Text()
    for row in range(rows):
        for column in range(width):
            upper, lower = (_colour(small, column, 2 * row + half) for half in (0, 1))
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text


def _colour(image: Image.Image, x: int, y: int) -> Color:
    pixel = image.getpixel((x, y))
    red, green, blue = pixel if isinstance(pixel, tuple) else (0, 0, 0)
    return Color.from_rgb(red, green, blue)

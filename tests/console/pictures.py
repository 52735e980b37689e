"""Pictures of the console for the guide and the README: palette PNGs, and a film as an animated WebP."""

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page

SHOWN = "() => [...document.images].every((image) => image.complete || image.getBoundingClientRect().top > innerHeight)"
COLORS = 96
FILM_WIDTH = 900
_ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (13, 12))


@dataclass(frozen=True)
class Camera:
    """Takes pictures into a folder; without one it takes none, and the test only walks the way."""

    page: Page
    folder: Path | None

    def shot(self, name: str) -> None:
        if self.folder is None:
            return
        self.page.mouse.move(0, 0)
        self.page.wait_for_function(SHOWN)
        # What moves by itself has come to rest.
        image = Image.open(io.BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")
        self.folder.mkdir(parents=True, exist_ok=True)
        palette = image.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette.save(self.folder / f"{name}.png", optimize=True)


@dataclass
class Film:
    """Frames of a page with the pointer drawn in: the browser's pictures have none."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)

    def frame(self, milliseconds: int, pointer: tuple[float, float] | None = None) -> None:
        image = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        if pointer:
            draw = ImageDraw.Draw(image)
            draw.polygon([(pointer[0] + x, pointer[1] + y) for x, y in _ARROW], fill="black", outline="white")
        height = round(image.height * FILM_WIDTH / image.width)
        image = image.resize((FILM_WIDTH, height), Image.Resampling.LANCZOS)
        if self.frames and self.frames[-1].tobytes() == image.tobytes():
            self.durations[-1] += milliseconds
            return
        self.frames.append(image)
        self.durations.append(milliseconds)

    def save(self, file: Path) -> None:
        first, *others = self.frames
        first.save(
            file,
            save_all=True,
            append_images=others,
            duration=self.durations,
            loop=0,
            quality=60,
            method=6,
            minimize_size=True,
        )

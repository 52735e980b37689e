"""A hand on the console's canvas: pointer and keys, in pixels of a picture of 256 by 256."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

Pixels = NDArray[np.uint8]
SIDE: Final = 256


@dataclass
class Canvas:
    """The canvas of a tab with a blue picture of 256 by 256 pixels."""

    page: Page
    view: Locator

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture is on the screen, as long as the whole picture is shown."""
        box = self.view.bounding_box()
        assert box is not None
        scale = min(box["width"], box["height"]) / SIDE
        left, top = box["x"] + (box["width"] - SIDE * scale) / 2, box["y"] + (box["height"] - SIDE * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, *places: tuple[float, float], button: Any = "left") -> None:
        """Over these pixels of the picture."""
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down(button=button)
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place), steps=4)
        self.page.mouse.up(button=button)

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def press(self, key: str) -> None:
        self.view.press(key)

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        self.view.focus()
        self.page.keyboard.down(key)
        yield
        self.page.keyboard.up(key)

    def brush(self, size: int) -> None:
        """Set as if on the slider."""
        slider = self.page.get_by_role("slider", name="Brush size in pixels")
        slider.press("Home")
        for _ in range(size - 1):
            slider.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuenow", str(size))

    def size(self) -> int:
        slider = self.page.get_by_role("slider", name="Brush size in pixels")
        return int(slider.get_attribute("aria-valuenow") or 0)

    def mask(self) -> Pixels:
        with self.page.expect_download() as saved:
            self.page.get_by_role("button", name="Save mask").click()
        return np.asarray(Image.open(io.BytesIO(Path(saved.value.path()).read_bytes())).convert("L"))


def canvas_of(page: Page, source: Path, name: str) -> Canvas:
    page.locator("input[type=file]").first.set_input_files(source)
    view = page.get_by_role("application", name=name)
    # Not below the bar with the button.
    view.evaluate("view => view.scrollIntoView({block: 'center'})")
    page.wait_for_function("() => document.querySelector('.canvas-view canvas').width > 300")
    return Canvas(page, view)

"""Drives one page of a WebUI: a stand-in's or a real one's."""

import base64
import copy
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from playwright.sync_api import Browser, Error, FloatRect, Page

from tests.webui_extension.hosts import PATIENCE, Host

T = TypeVar("T")
LAYERS = """(canvases) => canvases.map((canvas) => canvas.toDataURL())"""
"""What each layer of a canvas holds: in a real host one of them holds the picture itself."""
SURFACES = {"AUTOMATIC1111": "canvas[key=interface]", "Forge": ".forge-image-container"}
STROKES = {"AUTOMATIC1111": ("canvas[key=mask]", "canvas[key=drawing]"), "Forge": ("canvas.forge-drawing-canvas",)}
"""Where a host's canvas takes strokes, and the layers that hold them."""
HOSTS_CANVAS = "forge_canvas/canvas.min.js"
"""Forge's canvas reads a layer of no width when it gets a picture, and says so."""
REMOVE = ("button[aria-label=Clear]", "button[aria-label='Remove Image']", "button[title=Remove]")
DRAWN = re.compile(r"Job ([0-9a-z-]+)")


class WebUI:
    """One page of a host."""

    def __init__(self, browser: Browser, address: str, host: Host, folder: Path) -> None:
        self._browser = browser
        self.host = host
        self.address = address
        self.folder = folder
        self.page: Page = browser.new_page(viewport={"width": 1400, "height": 1400})
        self.errors: list[str] = []
        self.page.on("pageerror", self._note)
        self.page.set_default_timeout(PATIENCE * 1000)
        self.open(address)

    def another(self) -> "WebUI":
        """Another person's page of the same host."""
        return WebUI(self._browser, self.address, self.host, self.folder)

    def twin(self) -> "WebUI":
        """Another tab that this page has opened, with a copy of what this one remembers."""
        other = copy.copy(self)
        with self.page.expect_popup() as opened:
            self.page.evaluate("window.open(location.href)")
        other.page, other.errors = opened.value, []
        other.page.set_default_timeout(PATIENCE * 1000)
        other._is_loaded()
        return other

    def _note(self, error: Error) -> None:
        """Remember an error of the page, unless it is of a canvas that its host wrote."""
        if HOSTS_CANVAS not in (error.stack or ""):
            self.errors.append(str(error))

    def open(self, address: str) -> None:
        """Open the page, and wait until the panel has asked the cloud what there is."""
        self.page.goto(address)
        self._is_loaded()

    def _is_loaded(self) -> None:
        for tab in ("txt2img", "img2img"):
            self.page.wait_for_selector(f"#goc_state_{tab} .goc-cards", state="attached")

    def tab(self, name: str) -> None:
        """Select a main tab."""
        self.page.locator("#tabs > div button").get_by_text(re.compile(rf"^\s*{name}\s*$", re.IGNORECASE)).first.click()

    def mode(self, name: str) -> None:
        """Select an inner tab of img2img."""
        self.page.locator("#mode_img2img > div button").get_by_text(name, exact=True).first.click()

    def write(self, elem_id: str, text: str) -> None:
        self.page.locator(f"#{elem_id} textarea, #{elem_id} input").first.fill(text)

    def number(self, elem_id: str, value: float) -> None:
        """Type into a number field, as that of a slider."""
        field = self.page.locator(f"#{elem_id} input[type=number]").first
        field.fill(str(value))
        field.press("Tab")

    def text(self, elem_id: str) -> str:
        return str(self.page.locator(f"#{elem_id}").first.text_content())

    def value(self, elem_id: str) -> str:
        return str(self.page.locator(f"#{elem_id} textarea, #{elem_id} input").first.input_value())

    def click(self, elem_id: str) -> None:
        self.page.locator(f"#{elem_id}").first.click()

    def waits_for(self, look: Callable[[], T], what: str, *, seconds: float = PATIENCE) -> T:
        """The first true value of `look`, while the page goes on; it may ask the API, which has a limit per minute."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"never happened: {what}"
            self.page.wait_for_timeout(250)
        return found

    def says(self, elem_id: str, text: str, *, seconds: float = PATIENCE) -> str:
        """Wait until an element says this; returns all that it says."""
        deadline = time.monotonic() + seconds
        while text not in (said := self.text(elem_id)):
            assert time.monotonic() < deadline, f"#{elem_id} never said {text!r}, but {said!r}"
            self.page.wait_for_timeout(100)
        return said

    def choose(self, elem_id: str, option: str) -> None:
        """Choose in a dropdown, as soon as it has the option."""
        self._choose(f"#{elem_id} input", option)

    def _choose(self, field: str, option: str) -> None:
        offered = self.page.locator("ul.options li", has_text=option)

        def opens() -> bool:
            self.page.locator(field).first.click()
            self.page.wait_for_timeout(200)
            if not offered.count():  # an open list does not change
                self.page.locator(field).first.blur()
            return bool(offered.count())

        self.waits_for(opens, f"{option} in {field}")
        offered.first.click()

    def unchoose_all(self, elem_id: str) -> None:
        """Take every choice out of a dropdown of several."""
        field = self.page.locator(f"#{elem_id} input").first
        field.focus()
        field.press("Backspace")
        field.press("Escape")

    def choose_script(self, tab: str, title: str) -> None:
        self._choose(f"#tab_{tab} #script_list input", title)

    def check(self, elem_id: str, *, on: bool = True) -> None:
        """Tick a box, or take the tick away."""
        self.page.locator(f"#{elem_id} input[type=checkbox], input#{elem_id}").first.set_checked(on)

    def choose_checkpoint(self, name: str) -> None:
        """Choose it in both tabs, as a page that was just opened needs it."""
        for tab in ("img2img", "txt2img"):
            self.tab(tab)
            self.says(f"goc_state_{tab}", "GPU")
            self.choose(f"goc_checkpoint_{tab}", name)

    def refresh_and_choose(self, name: str) -> None:
        """Read anew in both tabs what the cloud has, and choose this checkpoint."""
        for tab in ("img2img", "txt2img"):
            self.tab(tab)
            self.click(f"goc_refresh_{tab}")
        self.choose_checkpoint(name)

    def upload(self, elem_id: str, image: Image.Image, **metadata: Any) -> None:
        """Give a picture to a canvas: through the file field, or to the layer of Forge's canvas in the stand-in."""
        buffer = io.BytesIO()
        image.save(buffer, "PNG", **metadata)
        fields = self.page.locator(f"#{elem_id} input[type=file]")
        if fields.count():
            fields.first.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
            self.page.locator(f"#{elem_id} img:visible, #{elem_id} canvas:visible").first.wait_for()
        else:
            self.write(elem_id, "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())

    def resize_by(self, factor: float) -> None:
        """Have img2img's picture drawn so many times larger."""
        with self.page.expect_response(lambda answer: '"data":[]' in (answer.request.post_data or "")):
            self.page.locator("#tab_img2img").get_by_role("tab", name="Resize by").or_(
                self.page.locator("#tab_img2img button", has_text="Resize by")
            ).first.click()
        self.number("img2img_scale", factor)

    def has_picture(self, elem_id: str) -> bool:
        """Whether a canvas shows one."""
        layer = self.page.locator(f"#{elem_id}_background textarea")  # of the stand-in for Forge
        if layer.count():
            return layer.first.input_value().startswith("data:")
        return self.page.locator(f"#{elem_id} img, #{elem_id} canvas").count() > 0

    def clear(self, elem_id: str) -> None:
        """Take the picture out of a canvas, if it has one."""
        if self.page.locator(f"#{elem_id}_background textarea").count():
            self.write(f"{elem_id}_background", "")
        remove = self.page.locator(", ".join(f"#{elem_id} {button}" for button in REMOVE))
        if remove.count() and remove.first.is_visible():
            remove.first.click()

    def paint(self, elem_id: str) -> None:
        """Drag over a canvas until it has a stroke; a real AUTOMATIC1111 shows two thirds of a large one."""
        canvas = self.page.locator(f"#{elem_id} {SURFACES[self.host.kind]}")
        canvas.wait_for()
        self.page.wait_for_timeout(1000)
        layers = self.page.locator(", ".join(f"#{elem_id} {layer}" for layer in STROKES[self.host.kind]))
        before = layers.evaluate_all(LAYERS)
        for _ in range(30):
            self.page.wait_for_timeout(500)  # the canvas swallows strokes for a while after an upload
            canvas.scroll_into_view_if_needed()
            box = canvas.bounding_box()
            assert box is not None
            self.drag(box, (0.3, 0.3), (0.6, 0.6))
            if layers.evaluate_all(LAYERS) != before:
                return
        raise AssertionError(f"no stroke on #{elem_id}")

    def drag(self, box: FloatRect, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Move the mouse over a box with its button down; places are parts of the box."""
        first, last = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
        self.page.mouse.move(*first)
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=8)
        self.page.mouse.up()

    def gallery(self, tab: str) -> list[str]:
        """Addresses of the pictures in the Output section."""
        pictures = self.page.locator(f"#{tab}_gallery img")
        return [str(pictures.nth(index).get_attribute("src")) for index in range(pictures.count())]

    def connect(self, url: str, key: str) -> str:
        """Enter a login in the tab; what the panel says of it."""
        self.tab("Generate on Cloud")
        self.write("goc_url", url)
        key_field = self.page.locator("#goc_key input")
        key_field.fill(key)
        message = self.page.locator("#goc_message_connection .goc-cards")
        before = message.all_text_contents()
        self.click("goc_save_connection")
        self.waits_for(  # the same words may come again; a key that works leaves its field
            lambda: message.all_text_contents() not in ([], before) or not key_field.input_value(),
            "an answer to the login",
        )
        return str(message.first.text_content())

    def watched(self, tab: str) -> list[str]:
        """Ids of the jobs that the page watches."""
        ids: list[str] = self.page.evaluate(f"JSON.parse(sessionStorage.getItem('goc_watched_{tab}') || '[]')")
        return ids

    def info(self, tab: str, job_id: str, *, known: str = "") -> dict[str, Any]:
        """WebUI's `info` of this job, once its pictures are in the Output section; `known` is what was there before."""
        self.says(f"html_log_{tab}", f"Job {job_id}")
        told = self.waits_for(  # the page sets one by one
            lambda: told if (told := self.value(f"generation_info_{tab}")) != known else "", f"info of {job_id}"
        )
        info: dict[str, Any] = json.loads(told)
        self.says(f"html_info_{tab}", info["infotexts"][0].rpartition("\n")[2])
        return info

    def drawn_job(self, tab: str) -> str:
        """Id of the job whose pictures the Output section shows; "" if it shows none of ours."""
        found = DRAWN.search(self.text(f"html_log_{tab}"))
        return found[1] if found else ""

"""Starts a stand-in for a WebUI in its own environment, and drives its page."""

import base64
import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.patience import wait_for

ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).parent / "standin" / "host.py"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
HOSTS = {"AUTOMATIC1111": ".venv-gradio3", "Forge": ".venv-gradio4"}
"""The environment with the pins of each host; `make webui-environments` creates them."""
PATIENCE = 120.0
"""Seconds for one thing to happen: a busy machine starts a page in twenty."""


def python_of(host: str) -> Path:
    """The interpreter with this host's gradio; the test is skipped where it is missing."""
    python = ROOT / HOSTS[host] / "bin" / "python"
    need(python)
    return python


def need(program: Path) -> None:
    """Skip the test where a program is missing; `make webui-test`, which creates them, fails instead."""
    if program.exists():
        return
    reason = f"{program} is missing: `make webui-environments`, and Debian's chromium"
    if os.environ.get("WEBUI_TESTS"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def browser() -> Iterator[Browser]:
    need(Path(CHROMIUM))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@contextmanager
def running_host(host: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a stand-in whose extension is this repository's."""
    (folder / "extensions").mkdir(parents=True, exist_ok=True)
    link = folder / "extensions" / "generate-on-cloud"
    if not link.exists():
        link.symlink_to(ROOT / "webui_extension")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "configuration"),
        "STANDIN_FOLDER": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "GRADIO_ANALYTICS_ENABLED": "False",
    }  # fmt: skip
    with (folder / "host.log").open("ab") as log:
        process = subprocess.Popen(
            [python_of(host), STANDIN, str(port)], env={**variables, **environment}, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: process.poll() is not None or _answers(address), "the host's page", seconds=PATIENCE)
        assert process.poll() is None, (folder / "host.log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urlopen(address) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


class WebUI:
    """One page of a host."""

    def __init__(self, browser: Browser, address: str, host: str, folder: Path) -> None:
        self.host = host
        self.address = address
        self.folder = folder
        self.page: Page = browser.new_page(viewport={"width": 1400, "height": 1400})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_default_timeout(PATIENCE * 1000)
        self.open(address)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("#txt2img_prompt textarea")

    def tab(self, name: str) -> None:
        """Select a main tab."""
        self.page.locator("#tabs > div button", has_text=name).first.click()

    def mode(self, name: str) -> None:
        """Select an inner tab of img2img."""
        self.page.locator("#mode_img2img > div button").get_by_text(name, exact=True).first.click()

    def write(self, elem_id: str, text: str) -> None:
        self.page.locator(f"#{elem_id} textarea, #{elem_id} input").first.fill(text)

    def text(self, elem_id: str) -> str:
        return str(self.page.locator(f"#{elem_id}").first.inner_text())

    def value(self, elem_id: str) -> str:
        return str(self.page.locator(f"#{elem_id} textarea, #{elem_id} input").first.input_value())

    def click(self, elem_id: str) -> None:
        self.page.locator(f"#{elem_id}").first.click()

    def says(self, elem_id: str, text: str, *, seconds: float = PATIENCE) -> str:
        """Wait until an element says this; returns all that it says."""
        deadline = time.monotonic() + seconds
        while text not in (said := self.text(elem_id)):
            assert time.monotonic() < deadline, f"#{elem_id} never said {text!r}, but {said!r}"
            self.page.wait_for_timeout(100)
        return said

    def choose(self, elem_id: str, option: str) -> None:
        """Choose in a dropdown."""
        self.page.locator(f"#{elem_id} input").first.click()
        self.page.locator("ul.options li", has_text=option).first.click()

    def upload(self, elem_id: str, image: Image.Image) -> None:
        """Give a picture to a canvas: through the file field in gradio 3, as Forge's canvas does it in gradio 4."""
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        fields = self.page.locator(f"#{elem_id} input[type=file]")
        if fields.count():
            fields.first.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
            self.page.locator(f"#{elem_id} img, #{elem_id} canvas").first.wait_for()
        else:
            self.write(elem_id, "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())

    def paint(self, elem_id: str) -> None:
        """Drag over a canvas of gradio 3 until there is ink."""
        canvas = self.page.locator(f"#{elem_id} canvas[key=interface]")
        canvas.wait_for()
        ink = """(canvases) => canvases.some((canvas) => {
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return pixels.some((value, index) => index % 4 === 3 && value > 0);
        })"""
        layers = f"#{elem_id} canvas[key=mask], #{elem_id} canvas[key=drawing]"
        for _ in range(30):
            self.page.wait_for_timeout(500)  # the canvas swallows strokes for a while after an upload
            box = canvas.bounding_box()
            assert box is not None
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            self.page.mouse.move(x, y)
            self.page.mouse.down()
            self.page.mouse.move(x + box["width"] / 4, y + box["height"] / 4, steps=8)
            self.page.mouse.up()
            if self.page.locator(layers).evaluate_all(ink):
                return
        raise AssertionError(f"no ink on #{elem_id}")

    def gallery(self, tab: str) -> list[str]:
        """Addresses of the pictures in the Output section."""
        pictures = self.page.locator(f"#{tab}_gallery img")
        return [str(pictures.nth(index).get_attribute("src")) for index in range(pictures.count())]

    def connect(self, url: str, key: str) -> str:
        self.tab("Generate on Cloud")
        self.write("goc_url", url)
        self.page.locator("#goc_key input").fill(key)
        self.click("goc_save_connection")
        return self.says("goc_message_connection", " ")

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)

"""`make bench-console`: from the pointer's event to the painted pixels, on a picture of 1024 by 1024 in a browser.

Each figure is the time of the page's own work for one movement of the pointer, with one pixel read back so that the
browser has to paint. Long strokes are measured too: their cost must not grow with their length. The page is served
without an API, so nothing else is busy.
"""

import functools
import http.server
import io
import os
import platform
import statistics
import tempfile
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
SIDE = 1024
MOVES = 400
GOAL_MS = 16
TABS = {"inpaint": "Paint the mask", "sketch": "Sketch on the picture"}
LISTEN = """() => {
    window.took = [];
    let began = 0;
    const overlay = () => document.querySelectorAll(".canvas-view canvas")[1];
    window.addEventListener("pointermove", () => (began = performance.now()), true);
    window.addEventListener("pointermove", (event) => {
        if (event.buttons !== 1) return;
        overlay().getContext("2d").getImageData(0, 0, 1, 1);
        window.took.push(performance.now() - began);
    });
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the figures are what is printed."""


def main() -> None:
    handler = functools.partial(_Quiet, directory=str(ROOT / "build" / "console" / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Chromium {browser.version}; milliseconds for each movement"
        )
        for tab, name in TABS.items():
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.add_init_script("sessionStorage.setItem('goc.key', 'goc_none')")
            page.goto(f"http://127.0.0.1:{server.server_port}/#/generate/{tab}")
            _print_spread(tab, _stroke(page, name))
            page.close()
        server.shutdown()


def _stroke(page: Page, canvas: str) -> list[float]:
    """Milliseconds of each movement of one long stroke."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.png"
        content = io.BytesIO()
        Image.effect_noise((SIDE, SIDE), 40).convert("RGB").save(content, "PNG")
        file.write_bytes(content.getvalue())
        page.locator("input[type=file]").first.set_input_files(file)
        view = page.get_by_role("application", name=canvas)
        view.evaluate("view => view.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(1000)
    box = view.bounding_box()
    if box is None:
        raise SystemExit("the canvas is not on the page")
    page.evaluate(LISTEN)
    left, top = box["x"] + box["width"] / 2 - 150, box["y"] + box["height"] / 2 - 150
    page.mouse.move(left, top)
    page.mouse.down()
    for move in range(MOVES):
        page.mouse.move(left + 300 * (move % 60) / 60, top + 300 * move / MOVES)
    page.mouse.up()
    took: list[float] = page.evaluate("window.took")
    return took


def _print_spread(tab: str, took: list[float]) -> None:
    ordered = sorted(took)
    late = statistics.median(took[-100:])
    high = ordered[int(0.95 * len(ordered))]
    print(
        f"{tab}: median {statistics.median(took):.1f}, 95 % below {high:.1f}, longest {ordered[-1]:.1f}; "
        f"median of the last hundred {late:.1f} (goal: {GOAL_MS})"
    )


if __name__ == "__main__":
    main()

"""A whole session without a mouse: sign in, fill the form, draw, save the picture."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from local_cloud.cloud import LocalCloud
from tests.console.form import DRAWN
from tests.console.jobs import PROMPT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
expect.set_options(timeout=60_000)
MOST_STOPS = 90
HAS_FOCUS = "element => element === document.activeElement"
HIDDEN = """() => {
    const box = document.activeElement.getBoundingClientRect();
    return box.width === 0 || box.height === 0 || box.bottom < 0 || box.top > innerHeight;
}"""


def tab_to(page: Page, wanted: Locator, *, backwards: bool = False) -> None:
    """Press Tab until the focus is there; each stop on the way must be in sight."""
    wanted.wait_for()
    for _ in range(MOST_STOPS):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        assert not page.evaluate(HIDDEN), page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        if wanted.evaluate(HAS_FOCUS):
            return
    pytest.fail(f"{wanted} is not reached by {MOST_STOPS} times Tab")


def write(page: Page, wanted: Locator, text: str) -> None:
    tab_to(page, wanted)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def test_a_whole_session_needs_no_mouse(open_page: OpenPage, cloud: LocalCloud) -> None:
    page = open_page("/", signed_in=False)
    key = page.get_by_label("API key")
    expect(key).to_be_focused()
    page.keyboard.insert_text(cloud.admin_key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Generate", exact=True)).to_be_visible()

    # The first stop leads past the navigation.
    tab_to(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    tab_to(page, page.get_by_role("combobox", name="Checkpoint used on cloud"))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="shapes")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Checkpoint used on cloud")).to_have_value(re.compile("^shapes "))
    write(page, page.get_by_role("textbox", name="Prompt", exact=True), PROMPT)
    for name, value in (("Sampling steps", "6"), ("Width", "64"), ("Height", "64"), ("Seed (-1: random)", "7")):
        write(page, page.get_by_role("textbox", name=name, exact=True), value)
    tab_to(page, page.get_by_role("button", name="Generate on Cloud"))
    page.keyboard.press("Enter")

    save = page.get_by_role("button", name="Save", exact=True)
    save.wait_for(timeout=DRAWN)
    tab_to(page, save)
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    with Image.open(io.BytesIO(Path(saved.value.path()).read_bytes())) as picture:
        assert picture.size == (64, 64)
        assert "Seed: 7" in picture.info["parameters"]


def test_the_settings_open_and_close_by_keys_and_give_the_focus_back(open_page: OpenPage) -> None:
    page = open_page("/usage")
    settings = page.get_by_role("button", name="Settings")
    tab_to(page, settings)
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="English")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem").and_(page.locator(":focus"))).to_have_count(1)
    page.keyboard.press("Escape")

    expect(page.get_by_role("menuitem", name="English")).to_have_count(0)
    expect(settings).to_be_focused()

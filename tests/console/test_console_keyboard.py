"""The console without a mouse."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

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


def test_the_sign_in_waits_for_the_key(open_page: OpenPage) -> None:
    page = open_page("/", signed_in=False)

    expect(page.get_by_label("API key")).to_be_focused()


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

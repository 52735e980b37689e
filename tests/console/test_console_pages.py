"""Every page in both themes and three languages: no violation that axe finds, no request elsewhere, within budget."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
PAGES = (
    "/generate/txt2img",
    "/generate/img2img",
    "/generate/inpaint",
    "/generate/inpaint-sketch",
    "/generate/extras",
    "/generate/interrogate",
    "/jobs",
    "/assets",
    "/endpoints",
    "/people",
    "/usage",
    "/settings",
)
FIRST_LOAD_JS = 240_000
FIRST_LOAD_CSS = 40_000


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]


@pytest.mark.parametrize(
    ("language", "dark", "width"), [("en", False, 1280), ("ja", True, 360), ("zh-Hans", True, 1280)]
)
def test_no_page_has_a_barrier(
    open_page: OpenPage, cloud: LocalCloud, axe: str, language: str, width: int, *, dark: bool
) -> None:
    page = open_page(PAGES[0], language=language, dark=dark, width=width)
    found: dict[str, list[str]] = {}
    wider: list[str] = []
    for path in PAGES:
        page.goto(f"{cloud.endpoint_url}/#{path}")
        page.get_by_role("heading", level=1).wait_for()
        page.wait_for_load_state("networkidle")
        found[path] = violations(page, axe)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wider.append(path)

    assert found == {path: [] for path in PAGES}
    assert wider == [], "wider than the window"
    assert page.evaluate("document.documentElement.lang") == language


def test_the_sign_in_has_no_barrier(open_page: OpenPage, axe: str) -> None:
    page = open_page(signed_in=False)
    page.get_by_label("API key").wait_for()

    assert violations(page, axe) == []


def test_the_first_load_is_within_its_budget(open_page: OpenPage, site: Path) -> None:
    loaded: list[str] = []
    page = open_page("/generate/txt2img")
    page.on("response", lambda response: loaded.append(response.url))
    page.reload()
    page.get_by_role("button", name="Generate on Cloud").wait_for()

    def size(suffix: str) -> int:
        names = {url.rsplit("/", 1)[-1] for url in loaded if url.endswith(suffix)}
        return sum(len(gzip.compress((site / "console" / name).read_bytes(), 9)) for name in names)

    assert 0 < size(".js") <= FIRST_LOAD_JS
    assert 0 < size(".css") <= FIRST_LOAD_CSS

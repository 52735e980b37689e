"""Every page in both themes and three languages: complete, and without what axe finds or the browser complains of."""

import base64
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, ViewportSize

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.cloud import LocalCloud
from tests.console.conftest import CHECKPOINT
from tests.console.language import untranslated

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
PAGES = (
    "/generate/txt2img",
    "/generate/img2img",
    "/generate/sketch",
    "/generate/inpaint",
    "/generate/inpaint-sketch",
    "/generate/inpaint-upload",
    "/generate/extras",
    "/generate/interrogate",
    "/jobs",
    "/assets",
    "/endpoints",
    "/people",
    "/usage",
    "/settings",
)
WINDOWS: dict[str, ViewportSize] = {
    "a phone": {"width": 360, "height": 740},
    "a zoom of 200 %": {"width": 640, "height": 450},
}
"""A window of 1280 by 900 that is zoomed to 200 % has half its size in CSS pixels."""
FIRST_LOAD_JS = 240_000
FIRST_LOAD_CSS = 40_000


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]


def show(page: Page, *, dark: bool) -> None:
    """Follow a system that becomes light or dark."""
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function("wanted => document.documentElement.dataset.mantineColorScheme === wanted", arg=scheme)


@pytest.fixture(scope="module")
def paths(cloud: LocalCloud) -> tuple[str, ...]:
    """All pages, also those of a job that has drawn and of one that has failed."""
    small = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 2}
    damaged = {**small, "init_images": [base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()]}
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        made = [
            service.jobs.submit(CreateJob(task=task, params=params, checkpoint=CHECKPOINT)).job_id
            for task, params in ((Task.TXT2IMG, small), (Task.IMG2IMG, damaged))
        ]
        ends = [list(service.jobs.watch(job))[-1].status for job in made]
    assert ends == [JobStatus.SUCCEEDED, JobStatus.FAILED]
    return (*PAGES, *(f"/jobs/{job}" for job in made))


def unfold(page: Page) -> None:
    """Open every section, and give the form a unit of ControlNet, which it keeps."""
    sections = page.locator("button[aria-expanded=false].mantine-Accordion-control")
    sections.evaluate_all("all => all.forEach(each => each.click())")
    units = page.get_by_role("region", name="ControlNet")
    if units.count() == 1 and units.get_by_role("combobox").count() == 0:
        units.get_by_role("button").last.click()


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ja", 360), ("zh-Hans", 1280)])
def test_no_page_has_a_barrier(
    open_page: OpenPage, paths: tuple[str, ...], axe: str, language: str, width: int
) -> None:
    page = open_page(PAGES[0], language=language, width=width)
    address = page.url.partition("#")[0]
    found: dict[str, list[str]] = {}
    wider: list[str] = []
    foreign: dict[str, list[str]] = {}
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for path in paths:
        page.goto(f"{address}#{path}")
        page.get_by_role("heading", level=1).wait_for()
        page.wait_for_load_state("networkidle")
        unfold(page)
        page.wait_for_load_state("networkidle")
        foreign[path] = untranslated(page, language)
        for dark in (False, True):
            show(page, dark=dark)
            found[f"{path}, {'dark' if dark else 'light'}"] = violations(page, axe)
        for name, size in WINDOWS.items():
            page.set_viewport_size(size)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wider.append(f"{path}, {name}")
        page.set_viewport_size({"width": width, "height": 900})

    assert {where: faults for where, faults in found.items() if faults} == {}
    assert len(found) == 2 * len(paths)
    assert {where: texts for where, texts in foreign.items() if texts} == {}
    assert complaints == []
    assert wider == [], "wider than the window"
    assert page.evaluate("document.documentElement.lang") == language


@pytest.mark.parametrize("language", ["en", "ja", "zh-Hans"])
def test_the_sign_in_has_no_barrier(open_page: OpenPage, axe: str, language: str) -> None:
    page = open_page(signed_in=False, language=language, width=360)
    page.locator("input[type=password]").wait_for()
    for dark in (False, True):
        show(page, dark=dark)
        assert violations(page, axe) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


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

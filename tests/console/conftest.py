"""Debian's Chromium against the real local cloud with the demo models; pages under the deployed security headers."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from infrastructure.console_build import ConsoleBuildError, build
from local_cloud.cloud import LocalCloud

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHECKPOINT = "shapes"
FIRST_ANSWER_S = 240
LANGUAGES = {"en": "en-US", "ja": "ja-JP", "zh-Hans": "zh-CN"}
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def site() -> Path:
    """The built console."""
    try:
        with FileLock(ROOT / "build" / "console.lock"):
            build(root=ROOT)
    except ConsoleBuildError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return ROOT / "build" / "console" / "site"


@pytest.fixture(scope="session")
def cloud(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("console-cloud"), context={"deleted_models_days": "7"}) as running:
        # The first requests start functions, which takes a busy machine its time.
        with GenerateOnCloud(running.api_url, running.admin_key, http=httpx.Client(timeout=FIRST_ANSWER_S)) as service:
            service.assets.upload(TRAINED, "checkpoint", name=f"{CHECKPOINT}.safetensors")
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing; .ci/run installs it")
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture
def open_page(browser: Browser, cloud: LocalCloud) -> Iterator[OpenPage]:
    """Opens a page of the console, signed in with the key (the administrator's unless another is given).

    A message in its console or a request elsewhere fails the test.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def opened(
        path: str = "/",
        *,
        signed_in: bool = True,
        key: str | None = None,
        language: str = "en",
        dark: bool = False,
        width: int = 1280,
        height: int = 900,
    ) -> Page:
        context = browser.new_context(
            locale=LANGUAGES[language],
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": height},
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((cloud.endpoint_url, "data:", "blob:"))
                else faults.append(f"a request to {request.url}")
            ),
        )
        if signed_in:
            page.add_init_script(f"sessionStorage.setItem('goc.key', {json.dumps(key or cloud.admin_key)})")
        page.goto(f"{cloud.endpoint_url}/#{path}", wait_until="domcontentloaded")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, in the version of the lock."""
    return (ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js").read_text()

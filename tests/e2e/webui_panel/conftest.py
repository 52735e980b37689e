"""A host for each kind of WebUI, connected to the local cloud, and what the tests of its panel do again and again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.accounts import CreateKey
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT, served_cloud
from tests.webui_extension import hosts
from tests.webui_extension.cable import Cable, running_cable
from tests.webui_extension.hosts import Host, prepare, running_host
from tests.webui_extension.webui_page import WebUI

GOLDENS = Path(__file__).parents[4] / "shared" / "goldens"
"""The folder with the checkpoint that a real host and the cloud both draw with."""
SLOW_CONTAINER = (sys.executable, "-m", "tests.e2e.webui_panel.slow_container")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for mark in (
                pytest.mark.e2e,
                pytest.mark.timeout(900),
                pytest.mark.xdist_group("local-cloud"),
                pytest.mark.filterwarnings(
                    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
                ),
            ):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with served_cloud(tmp_path_factory, container_command=SLOW_CONTAINER) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with hosts.browser() as started:
        yield started


@pytest.fixture(scope="package", params=hosts.hosts(), ids=str)
def host(request: pytest.FixtureRequest) -> Host:
    chosen: Host = request.param
    hosts.need(chosen.python)
    return chosen


@pytest.fixture(scope="package")
def local_checkpoint(host: Host) -> Path | None:
    """The file that a real host draws with; a stand-in has none."""
    if not host.is_real:
        return None
    return hosts.chosen_checkpoint() or next((GOLDENS / "model").glob("*.safetensors"))


@pytest.fixture(scope="package")
def checkpoint() -> str:
    """Name of the checkpoint in the cloud that both tabs have chosen."""
    return CHECKPOINT


@pytest.fixture(scope="package")
def host_folder(host: Host, local_checkpoint: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(host.kind)
    prepare(host, folder, local_checkpoint)
    return folder


@pytest.fixture(scope="package")
def address(host: Host, host_folder: Path) -> Iterator[str]:
    """A host that runs for all tests which do not stop it."""
    with running_host(host, host_folder) as started:
        yield started


@pytest.fixture(scope="package")
def first_page(host: Host, host_folder: Path, address: str, browser: Browser) -> WebUI:
    return WebUI(browser, address, host, host_folder)


@pytest.fixture(scope="package")
def revoked_key(local_cloud: LocalCloud) -> str:
    """A key that nobody has used: no function remembers it for a minute, as those of others."""
    with GenerateOnCloud(local_cloud.api_url, local_cloud.admin_key) as service:
        created = service.keys.create(CreateKey(label="of the panel"))
        service.keys.revoke(created.key_id)
    return created.key


@pytest.fixture(scope="package")
def connected(first_page: WebUI, local_cloud: LocalCloud, checkpoint: str) -> Iterator[WebUI]:
    webui = first_page
    assert "Connected as admin" in webui.connect(local_cloud.api_url, local_cloud.admin_key)
    webui.refresh_and_choose(checkpoint)
    yield webui
    webui.page.close()


@dataclass(frozen=True)
class OwnHost:
    """A host for one test, which starts and stops it."""

    host: Host
    folder: Path
    browser: Browser
    port: int = field(default_factory=hosts.free_port)

    @contextmanager
    def running(self, url: str, key: str, *, localization: str = "None") -> Iterator[str]:
        """Its address, while it runs with this login in its environment and its page in this language."""
        environment = {"GOC_URL": url, "GOC_API_KEY": key}
        hosts.change_settings(self.host, self.folder, {"localization": localization})
        with running_host(self.host, self.folder, environment, port=self.port) as address:
            yield address

    def page(self, address: str) -> WebUI:
        return WebUI(self.browser, address, self.host, self.folder)


@pytest.fixture
def own_host(host: Host, browser: Browser, local_checkpoint: Path | None, tmp_path: Path) -> OwnHost:
    prepare(host, tmp_path, local_checkpoint)
    return OwnHost(host, tmp_path, browser)


@pytest.fixture
def cable(local_cloud: LocalCloud) -> Iterator[Cable]:
    with running_cable(local_cloud.api_url) as cable:
        yield cable


@pytest.fixture
def webui(connected: WebUI) -> Iterator[WebUI]:
    """A page that is connected and has chosen the checkpoint in both tabs."""
    connected.tab("txt2img")
    connected.number("txt2img_steps", 8)
    connected.number("txt2img_batch_size", 1)
    connected.number("txt2img_batch_count", 1)
    yield connected
    errors, connected.errors = connected.errors, []
    assert not errors

"""What goes wrong is told in the panel; nothing is lost, and the host goes on."""

import json
from collections.abc import Iterator

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.e2e.webui_panel.conftest import OwnHost
from tests.e2e.webui_panel.sending import choose_newest, drawn, has_ended, long_job, sent
from tests.webui_extension.cable import Cable, running_cable
from tests.webui_extension.webui_page import WebUI


@pytest.fixture
def cable(local_cloud: LocalCloud) -> Iterator[Cable]:
    with running_cable(local_cloud.api_url) as cable:
        yield cable


def test_the_key_is_in_no_file_of_the_host(webui: WebUI, local_cloud: LocalCloud) -> None:
    key_files = [
        path for path in webui.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and local_cloud.admin_key.encode() in path.read_bytes()
    ]  # fmt: skip
    assert [path.name for path in key_files] == ["webui.json"]
    assert key_files[0].stat().st_mode & 0o777 == 0o600


def test_a_wrong_key_is_told_and_not_kept(webui: WebUI, service: GenerateOnCloud, local_cloud: LocalCloud) -> None:
    assert "The key was refused" in webui.connect(local_cloud.api_url, "goc_wrong")

    webui.tab("txt2img")
    drawn(webui, service, "txt2img")


def test_a_key_that_was_revoked_is_told_and_its_job_is_not_lost(
    webui: WebUI, service: GenerateOnCloud, revoked_key: str
) -> None:
    job_id = long_job(webui, service)
    file = webui.folder / "configuration" / "generate-on-cloud" / "webui.json"
    login = file.read_text()
    file.write_text(json.dumps({**json.loads(login), "api_key": revoked_key}))

    webui.says("goc_status_txt2img", "The key was refused")
    webui.waits_for(lambda: not webui.watched("txt2img"), "the page asks no more")
    webui.click("goc_generate_txt2img")
    webui.says("goc_status_txt2img", "The key was refused")
    assert service.jobs.page(limit=1).jobs[0].job_id == job_id

    file.write_text(login)
    assert choose_newest(webui, service) == job_id
    webui.click("goc_show_txt2img")
    webui.says("html_log_txt2img", f"Job {job_id}")


def test_a_service_that_is_down_stops_neither_the_start_nor_a_job(
    own_host: OwnHost, cable: Cable, local_cloud: LocalCloud, service: GenerateOnCloud, checkpoint: str
) -> None:
    cable.cut()
    with own_host.running(cable.url, local_cloud.admin_key) as address:
        webui = own_host.page(address)
        webui.says("goc_state_txt2img", "cannot be reached")

        cable.mend()
        for tab in ("txt2img", "img2img"):
            webui.tab(tab)
            webui.click(f"goc_refresh_{tab}")
        webui.choose_checkpoint(checkpoint)
        job_id = long_job(webui, service)
        cable.cut()

        webui.says("goc_status_txt2img", "no news")
        webui.click("goc_generate_txt2img")
        webui.says("goc_status_txt2img", "cannot be reached")
        webui.waits_for(lambda: has_ended(service, job_id), f"the end of {job_id}")
        assert webui.watched("txt2img") == [job_id]
        cable.mend()
        webui.says("html_log_txt2img", f"Job {job_id}")
        assert service.jobs.page(limit=1).jobs[0].job_id == job_id
        assert not webui.errors
        webui.page.close()


def test_a_job_outlives_a_restart_of_the_host(
    own_host: OwnHost, local_cloud: LocalCloud, service: GenerateOnCloud, checkpoint: str
) -> None:
    login = (local_cloud.api_url, local_cloud.admin_key)
    with own_host.running(*login) as address:
        webui = own_host.page(address)
        webui.choose_checkpoint(checkpoint)
        job_id = long_job(webui, service)

    with own_host.running(*login) as address:
        webui.open(address)
        webui.says("html_log_txt2img", f"Job {job_id}")
        webui.says("html_log_txt2img", "Saved in")
        webui.choose_checkpoint(checkpoint)
        webui.tab("txt2img")
        assert sent(webui, service, "txt2img") != job_id
        webui.page.close()

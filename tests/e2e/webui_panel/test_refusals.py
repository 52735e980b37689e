"""What the cloud refuses is told in the panel, nothing is sent or lost, and the next click works."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import NotFoundError
from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.accounts import CreateKey, CreateUser
from generate_on_cloud.contract.endpoints import CreateEndpoint
from local_cloud.cloud import LocalCloud
from tests.child_processes import children_with
from tests.e2e.webui_panel.conftest import SLOW_CONTAINER
from tests.e2e.webui_panel.sending import drawn, has_ended, logged_in, newest_job, sent
from tests.patience import wait_for
from tests.tiny_checkpoint import write_tiny_checkpoint
from tests.webui_extension.hosts import PATIENCE
from tests.webui_extension.webui_page import WebUI


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://somewhere", "is not an address"),
        ("http://127.0.0.1:9", "cannot be reached"),
        ("{cloud}/nowhere", "/nowhere/v1/me does not exist"),
    ],
)
def test_a_connection_that_does_not_work_says_why(webui: WebUI, local_cloud: LocalCloud, url: str, said: str) -> None:
    assert said in webui.connect(url.format(cloud=local_cloud.api_url), local_cloud.admin_key)


def test_a_quota_that_is_used_up_is_told(webui: WebUI, service: GenerateOnCloud, local_cloud: LocalCloud) -> None:
    name = f"guest-{webui.host.kind.lower()}"
    service.users.create(CreateUser(name=name, role="artist", quotas=Quotas(jobs_per_day=1)))
    key = service.keys.create(CreateKey(user=name)).key
    with logged_in(webui, api_key=key), GenerateOnCloud(local_cloud.api_url, key) as of_guest:
        webui.tab("txt2img")
        drawn(webui, of_guest, "txt2img")

        webui.click("goc_generate_txt2img")

        webui.says("goc_status_txt2img", "Your quota jobs_per_day is used up: 1 of 1 jobs today")
        assert len(of_guest.jobs.page(limit=2).jobs) == 1


def test_a_model_that_the_cloud_has_lost_is_told(
    webui: WebUI, service: GenerateOnCloud, checkpoint: str, tmp_path: Path
) -> None:
    name = f"lost-{webui.host.kind}.safetensors"
    asset = service.assets.upload(write_tiny_checkpoint(tmp_path / name), "checkpoint", name=name)
    webui.tab("txt2img")
    webui.click("goc_refresh_txt2img")
    webui.choose("goc_checkpoint_txt2img", name)
    service.assets.delete(asset.asset_id)
    last = newest_job(service)

    webui.click("goc_generate_txt2img")

    webui.says("goc_status_txt2img", name)
    assert newest_job(service) == last
    webui.choose("goc_checkpoint_txt2img", checkpoint)
    drawn(webui, service, "txt2img")


@contextmanager
def broken_endpoint(service: GenerateOnCloud, cloud: LocalCloud) -> Iterator[str]:
    """The name of an endpoint whose containers all die while they start."""

    def containers() -> set[psutil.Process]:
        return set(children_with(cloud.pid, SLOW_CONTAINER[-1]))

    def has_failed() -> bool:
        for container in containers() - others:
            with suppress(psutil.Error):
                container.kill()
        return service.endpoints.get("broken").status == "Failed"

    others = containers()
    assert others
    name = service.endpoints.create(CreateEndpoint(name="broken", instance_type="ml.g5.xlarge")).name
    try:
        wait_for(has_failed, "the endpoint's failure", seconds=PATIENCE, every=0.2)
        yield name
    finally:
        with suppress(NotFoundError):
            service.endpoints.delete("broken")


def test_an_endpoint_that_has_failed_or_is_gone_is_told(
    webui: WebUI, service: GenerateOnCloud, local_cloud: LocalCloud
) -> None:
    webui.tab("txt2img")
    with broken_endpoint(service, local_cloud) as name:
        webui.click("goc_refresh_txt2img")
        webui.says("goc_state_txt2img", f"{name}: Failed")
        webui.choose("goc_endpoint_txt2img", name)
        last = newest_job(service)
        webui.click("goc_generate_txt2img")
        webui.says("goc_status_txt2img", f"No inference endpoint is in service ({name}: Failed")

    webui.waits_for(lambda: name not in {each.name for each in service.endpoints.list()}, f"the end of {name}")
    webui.click("goc_generate_txt2img")
    webui.says("goc_status_txt2img", f"The endpoint {name} does not exist any more")
    assert newest_job(service) == last
    webui.choose("goc_endpoint_txt2img", "Least loaded")
    job_id = sent(webui, service, "txt2img")
    webui.waits_for(lambda: has_ended(service, job_id), f"the end of {job_id}")

"""A picture of a finished job is enlarged in the cloud: what is sent, what is refused, what the host saves."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from tests.patience import wait_for
from tests.webui_extension.service import Service
from webui_extension.core import login
from webui_extension.core.errors import CloudError, PanelError
from webui_extension.core.extras import FILTERS, LARGEST_FACTOR, SMALLEST_FACTOR, TASK, picture_url, upscale_params
from webui_extension.core.followers import JobState
from webui_extension.core.login import Login
from webui_extension.host import results, sending
from webui_extension.host.cloud import Cloud

READY = {"name": "goc-main", "status": "ScaledToZero", "instance_count": 0}


def png(size: int = 8) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a star\nSteps: 8")
    buffer = io.BytesIO()
    Image.new("RGB", (size, size)).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


@pytest.fixture
def cloud(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A panel's cloud, with the finished job `7` of two pictures."""
    monkeypatch.setenv("GOC_URL", service.url)
    monkeypatch.setenv("GOC_API_KEY", "goc_key")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert login.find_login() == Login(service.url, "goc_key")
    images = [{"url": f"{service.url}/first"}, {"url": f"{service.url}/second"}]
    done = {"job_id": "7", "status": "succeeded", "result": {"images": images}}
    larger = {"job_id": "8", "status": "succeeded", "task": TASK, "result": {"images": []}}
    for request, answer in {
        "GET /prod/v1/jobs/7": done,
        "GET /prod/v1/jobs/8": larger,
        "GET /prod/v1/endpoints": {"endpoints": [READY]},
        "GET /prod/first": b"first",
        "GET /prod/second": png(),
    }.items():
        service.answers[request] = lambda _, answer=answer: (200, answer)  # type: ignore[misc]
    service.answers["POST /prod/v1/jobs"] = lambda _: (201, {"job_id": "8", "status": "queued"})
    return Cloud(lambda _: ())


def test_the_chosen_picture_goes_back_with_its_infotext(service: Service, cloud: Cloud) -> None:
    sent = sending.send_upscale(cloud, "7", 2, "4x-UltraSharp.pth", 1.5, endpoint="goc-main")

    wait_for(lambda: bool((state := cloud.followers.state("8")) and state.done), "the follower's end")
    (body,) = service.sent("POST /prod/v1/jobs")
    assert sent["job_id"] == "8"
    assert {name: body[name] for name in ("task", "endpoint", "preview")} == {
        "task": "extra_single_image", "endpoint": "goc-main", "preview": False,
    }  # fmt: skip
    assert body["params"] == upscale_params(png(), "4x-UltraSharp.pth", 1.5)


@pytest.mark.parametrize("number", [0, 3, -1, None])
def test_a_picture_that_the_job_does_not_have_is_named(service: Service, cloud: Cloud, number: int | None) -> None:
    with pytest.raises(PanelError, match=f"7 has 2 pictures; there is no number {number or 0}"):
        sending.send_upscale(cloud, "7", number, "Lanczos", 2)

    assert not service.sent("POST /prod/v1/jobs")


@pytest.mark.parametrize("job", [{"job_id": "7"}, {"job_id": "7", "result": None}, {"job_id": "7", "result": {}}])
def test_a_job_without_pictures_is_refused(job: dict[str, Any]) -> None:
    with pytest.raises(PanelError, match="7 has 0 pictures"):
        picture_url(job, 1)


def test_without_an_endpoint_in_service_nothing_is_sent(service: Service, cloud: Cloud) -> None:
    service.answers["GET /prod/v1/endpoints"] = lambda _: (200, {"endpoints": []})

    with pytest.raises(PanelError, match="No inference endpoint"):
        sending.send_upscale(cloud, "7", 1, "Lanczos", 2)

    assert not service.sent("POST /prod/v1/jobs")


def test_a_picture_that_storage_has_deleted_is_not_sent(service: Service, cloud: Cloud) -> None:
    service.answers["GET /prod/first"] = lambda _: (404, b"<Error>NoSuchKey</Error>")

    with pytest.raises(CloudError, match="NoSuchKey"):
        sending.send_upscale(cloud, "7", 1, "Lanczos", 2)

    assert not service.sent("POST /prod/v1/jobs")


@pytest.mark.parametrize("upscaler", [*FILTERS, "4x-UltraSharp.pth"])
@pytest.mark.parametrize("factor", [SMALLEST_FACTOR, 2.5, LARGEST_FACTOR])
def test_the_contract_takes_every_upscaler_and_factor_of_the_panel(upscaler: str, factor: float) -> None:
    sent = upscale_params(png(), upscaler, factor)

    taken = PARAMS_BY_TASK[Task(TASK)].model_validate(sent).model_dump()

    assert {name: taken[name] for name in sent} == sent


def test_the_host_saves_it_among_its_extras_with_both_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[dict[str, Any]] = []

    def save_image(image: Image.Image, path: str, basename: str, **given: Any) -> tuple[str, None]:
        saved.append({"path": path, **given})
        return "/extras/1.png", None

    options = SimpleNamespace(samples_save=True, outdir_samples="", outdir_extras_samples="/extras")
    monkeypatch.setitem(sys.modules, "modules.shared", SimpleNamespace(opts=options))
    monkeypatch.setitem(sys.modules, "modules.images", SimpleNamespace(save_image=save_image))
    image = {"url": "", "infotext": "Postprocess upscale by: 2"}
    job = {"job_id": "8", "task": TASK, "status": "succeeded", "result": {"images": [image], "info": {}}}

    assert results.save(JobState(job, (png(),))) == ("/extras/1.png",)

    (file,) = saved
    assert file["path"] == "/extras"
    assert (file["pnginfo_section_name"], file["info"]) == ("extras", "Postprocess upscale by: 2")
    assert file["existing_info"] == {"parameters": "a star\nSteps: 8"}

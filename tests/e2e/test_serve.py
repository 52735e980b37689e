"""`goc serve` against a local cloud: WebUI's API with real jobs, and every web page refused."""

import base64
import io
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.cloud import LocalCloud
from local_cloud.preflight import free_port
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import SIZE, base64_png, endless, img2img, picture, txt2img
from tests.e2e.serving import Serving, goc_serve
from tests.patience import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]


@pytest.fixture(scope="module")
def serving(local_cloud: LocalCloud) -> Iterator[Serving]:
    with goc_serve(local_cloud, "--cors-allow-origins", "https://paint.example") as serving:
        yield serving


@pytest.fixture
def webui(serving: Serving) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=serving.url, timeout=300) as client:
        yield client


def drawn_by_goc(service: GenerateOnCloud, task: Task, params: dict[str, Any]) -> tuple[list[bytes], dict[str, Any]]:
    checkpoint = CHECKPOINT if task in (Task.TXT2IMG, Task.IMG2IMG) else None
    sent = service.jobs.submit(CreateJob(task=task, checkpoint=checkpoint, params=params))
    job = service.jobs.finish(sent.job_id)
    assert job.result is not None
    return [httpx.get(image.url).content for image in job.result.images], job.result.info


@pytest.mark.parametrize(
    ("path", "task", "body"),
    [
        ("txt2img", Task.TXT2IMG, txt2img(batch_size=2, url="http://x", auth="")),
        ("img2img", Task.IMG2IMG, img2img(mask=base64_png(picture(seed=2)), inpainting_fill=1)),
    ],
)
def test_pictures_and_info_are_those_of_the_same_job(
    webui: httpx.Client, service: GenerateOnCloud, path: str, task: Task, body: dict[str, Any]
) -> None:
    answer = webui.post(f"/sdapi/v1/{path}", json=body)

    pictures, info = drawn_by_goc(
        service, task, {name: value for name, value in body.items() if name not in ("url", "auth")}
    )
    said = answer.json()
    assert answer.status_code == 200, said
    assert [base64.b64decode(one) for one in said["images"]] == pictures
    random = {"job_timestamp", "subseed", "all_subseeds"}
    own = httpx.Response(200, text=said["info"]).json()
    assert {name: value for name, value in own.items() if name not in random} == {
        name: value for name, value in info.items() if name not in random
    }
    assert set(said["parameters"]) > {"prompt", "sampler_index", "infotext", "denoising_strength"}
    assert answer.headers.get("x-generate-on-cloud-ignored", "") == ("url, auth" if "url" in body else "")


def test_the_extras_tab_upscales_one_and_many(webui: httpx.Client, service: GenerateOnCloud) -> None:
    body = {"image": base64_png(picture()), "upscaler_1": "Lanczos", "upscaling_resize": 2}
    one = webui.post("/sdapi/v1/extra-single-image", json=body).json()
    many = webui.post(
        "/sdapi/v1/extra-batch-images",
        json={"imageList": [{"data": body["image"], "name": "a"}] * 2, "upscaler_1": "Lanczos", "upscaling_resize": 2},
    ).json()

    pictures, info = drawn_by_goc(service, Task.EXTRA_SINGLE_IMAGE, body)
    assert base64.b64decode(one["image"]) == pictures[0]
    assert one["html_info"] == info["html_info"] == many["html_info"]
    assert many["images"] == [one["image"]] * 2


def test_a_picture_that_is_too_large_for_one_request_goes_up_by_itself(webui: httpx.Client) -> None:
    large = picture(size=1100)

    said = webui.post("/sdapi/v1/img2img", json=img2img(init_images=[base64_png(large)])).json()

    with Image.open(io.BytesIO(base64.b64decode(said["images"][0]))) as drawn:
        assert drawn.size == (SIZE, SIZE)


def test_a_running_job_has_progress_and_a_preview_and_can_be_interrupted(webui: httpx.Client, serving: Serving) -> None:
    answers: list[httpx.Response] = []
    body = endless() | {"force_task_id": "task(abc)"}
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{serving.url}/sdapi/v1/txt2img", json=body, timeout=300))
    )
    asking.start()

    def shown() -> dict[str, Any]:
        said: dict[str, Any] = webui.get("/sdapi/v1/progress").json()
        return said if said["current_image"] else {}

    said = wait_for(shown, "a preview", seconds=120)
    named = webui.post("/internal/progress", json={"id_task": "task(abc)", "live_preview": False}).json()
    assert 0 < said["progress"] < 1
    assert (said["state"]["job_count"], said["state"]["sampling_steps"]) == (100, 150)
    assert named["active"]
    with Image.open(io.BytesIO(base64.b64decode(said["current_image"]))) as preview:
        assert preview.format == "JPEG"
    assert webui.post("/sdapi/v1/interrupt").json() == {}
    asking.join(120)

    assert answers[0].status_code == 409
    assert "was interrupted" in answers[0].json()["detail"]
    assert webui.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0


def test_skip_ends_one_batch_and_the_others_are_drawn(
    webui: httpx.Client, serving: Serving, service: GenerateOnCloud
) -> None:
    answers: list[httpx.Response] = []
    body = txt2img(steps=150, n_iter=8, seed=9)
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{serving.url}/sdapi/v1/txt2img", json=body, timeout=300))
    )
    asking.start()
    wait_for(
        lambda: webui.get("/sdapi/v1/progress").json()["state"]["sampling_step"] > 0, "its first steps", seconds=120
    )
    assert webui.post("/sdapi/v1/skip").json() is None
    asking.join(200)

    whole, _ = drawn_by_goc(service, Task.TXT2IMG, body)
    drawn = [base64.b64decode(one) for one in answers[0].json()["images"]]
    different = [one for one, other in zip(drawn[-8:], whole[-8:], strict=True) if one != other]
    assert len(different) == 1


def test_a_client_that_gave_up_finds_its_job_again(webui: httpx.Client, service: GenerateOnCloud) -> None:
    body = txt2img(steps=150, seed=-1, prompt="found again")
    with pytest.raises(httpx.ReadTimeout):
        webui.post("/sdapi/v1/txt2img", json=body, timeout=0.5)

    answer = webui.post("/sdapi/v1/txt2img", json=body)

    assert answer.status_code == 200
    jobs = [service.jobs.get(job.job_id) for job in service.jobs.page(limit=3).jobs]
    assert (
        next(job.job_id for job in jobs if job.metadata.get("face") == "sdapi")
        == answer.headers["x-generate-on-cloud-job"]
    )
    assert sum(job.result is not None and job.result.parameters.get("prompt") == "found again" for job in jobs) == 1


def test_a_server_that_was_started_again_finds_the_job_by_the_same_request(
    local_cloud: LocalCloud, service: GenerateOnCloud
) -> None:
    body = endless() | {"prompt": "found after a restart", "seed": -1, "force_task_id": "task(again)"}
    port = free_port()
    with goc_serve(local_cloud, port=port) as first, pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{first.url}/sdapi/v1/txt2img", json=body, timeout=2)

    with goc_serve(local_cloud, port=port) as second, httpx.Client(base_url=second.url, timeout=300) as webui:
        state = webui.get("/sdapi/v1/progress").json()["state"]
        named = webui.get("/internal/progress", params={"id_task": "task(again)"}).json()
        answers: list[httpx.Response] = []
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{second.url}/sdapi/v1/txt2img", json=body, timeout=300))
        )
        asking.start()
        asking.join(1)
        webui.post("/sdapi/v1/interrupt")
        asking.join(120)

    assert (state["job_count"], state["sampling_steps"]) == (100, 150)
    assert named["active"] or named["queued"]
    assert answers[0].status_code == 409
    assert len(list(service.jobs.list(q="found after a restart"))) == 1


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"sampler_name": "No such"}, 422, "unknown sampler 'No such'"),
        ({"steps": 0}, 422, "steps"),
        ({"override_settings": {"sd_model_checkpoint": "No such"}}, 400, "tiny.safetensors ["),
        ({"prompt": "a <lora:none:1>"}, 400, "none"),
    ],
)
def test_a_refusal_is_in_webuis_shape_with_our_sentence(
    webui: httpx.Client, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = webui.post("/sdapi/v1/txt2img", json=txt2img(**changes))

    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert set(answer.json()) == {"error", "detail", "body", "errors"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"host": "rebound.example"}, 403),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"origin": "https://paint.example"}, 422),
    ],
)
def test_a_page_of_another_origin_a_rebound_host_and_a_form_draw_nothing(
    webui: httpx.Client, service: GenerateOnCloud, headers: dict[str, str], status: int
) -> None:
    newest = [job.job_id for job in service.jobs.page(limit=1).jobs]

    answer = webui.post(
        "/sdapi/v1/txt2img", content='{"steps": 0}', headers={"content-type": "application/json", **headers}
    )

    assert answer.status_code == status
    assert [job.job_id for job in service.jobs.page(limit=1).jobs] == newest


def test_each_job_is_printed_with_its_seconds(webui: httpx.Client, serving: Serving) -> None:
    job = webui.post("/sdapi/v1/txt2img", json=txt2img(seed=11, clip_skip=2)).headers["x-generate-on-cloud-job"]

    wait_for(lambda: [line for line in serving.lines if job in line and "done, " in line], "the job's last line")
    assert any(job in line and "64x64, 2 steps, 1 picture, tiny.safetensors; ignored as in WebUI: clip_skip" in line
               for line in serving.lines)  # fmt: skip


def test_the_local_cloud_answers_webuis_api_itself_with_the_key_as_password(local_cloud: LocalCloud) -> None:
    with httpx.Client(base_url=local_cloud.endpoint_url, timeout=300) as webui:
        asked = webui.get("/sdapi/v1/sd-models")
        wrong = webui.get("/sdapi/v1/sd-models", auth=("anna", "goc_wrong"))
        page = webui.get("/sdapi/v1/sd-models", headers={"origin": "https://evil.example", "x-api-key": "x"})
        webui.auth = ("anna", local_cloud.admin_key)
        drawn = webui.post("/sdapi/v1/txt2img", json=txt2img(override_settings={"sd_model_checkpoint": CHECKPOINT}))

    assert [asked.status_code, wrong.status_code, page.status_code] == [401, 401, 403]
    assert drawn.status_code == 200, drawn.text
    with Image.open(io.BytesIO(base64.b64decode(drawn.json()["images"][0]))) as image:
        assert image.size == (SIZE, SIZE)


def test_the_key_of_the_server_is_narrow_and_ends_with_it(local_cloud: LocalCloud, service: GenerateOnCloud) -> None:
    def sessions() -> list[list[str]]:
        return [sorted(key.permissions or []) for key in service.keys.list() if key.label == "goc serve"]

    before = sessions()
    with goc_serve(local_cloud, "--wake", "--api-auth", "anna:secret") as serving:
        with httpx.Client(base_url=serving.url, timeout=60) as client:
            assert client.get("/sdapi/v1/sd-models").status_code == 401
            assert client.get("/sdapi/v1/sd-models", auth=("anna", "secret")).status_code == 200
        during = sessions()
        wait_for(lambda: any("Waking the GPU with tiny.safetensors" in line for line in serving.lines), "the wake-up")
    assert len(during) == len(before) + 1
    assert ["asset:list", "endpoint:list", "inference:create", "inference:list"] in during
    assert sessions() == before
    assert service.jobs.page(limit=1).jobs[0].status in (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SUCCEEDED)

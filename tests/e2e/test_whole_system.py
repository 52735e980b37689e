"""Jobs through the whole system over HTTP: deployed template, real container, and what happens when parts die."""

import base64
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import JobNotSucceededError, ProblemError
from generate_on_cloud.client.jobs import INLINE_MAX_BYTES
from generate_on_cloud.contract.errors import JobErrorCode, Problem, ProblemCode
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import (
    SIZE,
    base64_png,
    container_of,
    endless,
    img2img,
    picture,
    txt2img,
    until,
    until_queued_or_ended,
)
from tests.patience import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_an_img2img_job_comes_back_as_a_picture_with_its_infotext(service: GenerateOnCloud, tmp_path: Path) -> None:
    submitted = service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=img2img(batch_size=2), checkpoint=CHECKPOINT))

    job = service.jobs.finish(submitted.job_id)
    pictures = [opened(path) for path in service.jobs.save(job, tmp_path)]

    assert job.result is not None
    assert [picture.size for picture in pictures] == [(SIZE, SIZE)] * 2
    assert [picture.info["parameters"] for picture in pictures] == [image.infotext for image in job.result.images]
    assert [image.seed for image in job.result.images] == [5, 6]
    assert job.result.info["infotexts"] == [image.infotext for image in job.result.images]
    assert job.result.parameters["denoising_strength"] == 0.5
    assert job.result.timings["total"] > 0
    assert [model.name for model in job.result.models] == [CHECKPOINT]
    assert f"Model hash: {job.result.models[0].sha256[:10]}" in job.result.images[0].infotext
    assert job.line.endswith(f"→ img2img → succeeded → {job.job_id}")


def test_a_run_over_its_limit_ends_itself_with_timed_out_and_is_drawn_once(
    service: GenerateOnCloud, local_cloud: LocalCloud
) -> None:
    before = container_of(local_cloud).pid
    submitted = service.jobs.submit(
        CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT, run_timeout_s=5)
    )

    with pytest.raises(JobNotSucceededError) as ended:
        service.jobs.finish(submitted.job_id)
    after = service.jobs.finish(
        service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT)).job_id
    )

    assert ended.value.job.error is not None
    assert ended.value.job.error.code is JobErrorCode.TIMED_OUT
    assert "after 5 s, which is its limit (run_timeout_s)" in ended.value.job.error.message
    assert after.status is JobStatus.SUCCEEDED
    assert container_of(local_cloud).pid == before


def test_the_same_request_gives_the_same_picture(service: GenerateOnCloud, tmp_path: Path) -> None:
    jobs = [service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint="tiny")) for _ in range(2)]

    first, second = (service.jobs.save(service.jobs.finish(job.job_id), tmp_path)[0] for job in jobs)

    assert opened(first).tobytes() == opened(second).tobytes()


def test_only_masked_leaves_every_pixel_outside_the_mask_as_it_was(service: GenerateOnCloud, tmp_path: Path) -> None:
    original = picture(size=160)
    mask = Image.new("L", original.size, 0)
    mask.paste(255, (60, 60, 100, 100))
    params = img2img(init_images=[base64_png(original)], mask=base64_png(mask), mask_blur=0, inpainting_fill=1)

    job = service.jobs.finish(
        service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT)).job_id
    )
    result = opened(service.jobs.save(job, tmp_path)[0])

    changed = [
        (x, y)
        for x in range(original.width)
        for y in range(original.height)
        if result.getpixel((x, y)) != original.getpixel((x, y))
    ]
    assert result.size == original.size
    assert changed
    assert all(60 <= x < 100 and 60 <= y < 100 for x, y in changed)


def test_the_history_is_newest_first_and_goes_on_behind_its_cursor(service: GenerateOnCloud) -> None:
    sent = [
        service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT)).job_id
        for _ in range(3)
    ]

    page = service.jobs.page(limit=2)
    following = service.jobs.page(limit=2, cursor=page.next_cursor)

    assert [job.job_id for job in (*page.jobs, *following.jobs)][:3] == sent[::-1]
    for job_id in sent:
        service.jobs.finish(job_id)


def test_params_too_big_for_a_request_go_by_storage(service: GenerateOnCloud) -> None:
    # Noise does not compress, so this document is larger than a request may be.
    params = img2img(init_images=[base64_png(picture(size=1100))])
    assert len(json.dumps(params)) > INLINE_MAX_BYTES

    job = service.jobs.finish(
        service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT)).job_id
    )

    assert job.result is not None


def test_a_broken_picture_fails_its_job_with_the_reason_and_the_next_job_runs(service: GenerateOnCloud) -> None:
    damaged = bytearray(base64.b64decode(base64_png(picture())))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 8] = bytes(8)
    broken = service.jobs.submit(
        CreateJob(
            task=Task.IMG2IMG,
            params=img2img(init_images=[base64.b64encode(damaged).decode()]),
            checkpoint=CHECKPOINT,
        )
    )
    following = service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=img2img(), checkpoint=CHECKPOINT))

    with pytest.raises(JobNotSucceededError) as failed:
        service.jobs.finish(broken.job_id)

    error = failed.value.job.error
    assert error is not None
    assert error.code is JobErrorCode.BAD_IMAGE
    assert "init_images" in error.message
    assert service.jobs.finish(following.job_id).status is JobStatus.SUCCEEDED


def test_a_running_job_stops_when_it_is_cancelled_and_a_waiting_one_at_once(service: GenerateOnCloud) -> None:
    running = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
    waiting = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
    assert until(service, running, sampling=True).status is JobStatus.RUNNING

    assert service.jobs.cancel(waiting).status is JobStatus.CANCELED
    assert service.jobs.cancel(running).cancel_requested

    ended = until(service, running, sampling=False)
    assert ended.status is JobStatus.CANCELED
    assert ended.error is not None
    assert ended.error.code is JobErrorCode.CANCELED
    after = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT))
    assert service.jobs.finish(after.job_id).status is JobStatus.SUCCEEDED


def test_a_running_job_shows_a_preview_when_it_was_asked_for(service: GenerateOnCloud) -> None:
    job_id = service.jobs.submit(
        CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT, preview=True)
    ).job_id

    url = next(job.preview_url for job in service.jobs.watch(job_id) if job.preview_url)
    shown = httpx.get(url, timeout=60)
    service.jobs.cancel(job_id)

    with Image.open(io.BytesIO(shown.content)) as preview:
        assert preview.format == "JPEG"
        assert max(preview.size) <= 256
    assert until(service, job_id, sampling=False).status is JobStatus.CANCELED


def test_a_finished_job_has_all_its_steps_and_a_small_picture_and_the_next_one_is_estimated(
    service: GenerateOnCloud,
) -> None:
    asked = CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT, label="for the poster")
    job = service.jobs.finish(service.jobs.submit(asked).job_id)

    assert job.progress is not None
    assert job.progress.step == job.progress.steps > 0
    assert (job.progress.fraction, job.progress.message) == (1.0, "Done")
    (line,) = service.jobs.page(label="poster", limit=1).jobs
    assert (line.job_id, line.progress) == (job.job_id, job.progress)
    with Image.open(io.BytesIO(httpx.get(str(line.thumbnail_url), timeout=60).content)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (min(SIZE, 256),) * 2)
    rehearsed = service.jobs.submit(asked.model_copy(update={"dry_run": True}))
    assert rehearsed.estimate is not None
    assert rehearsed.estimate.seconds is not None
    assert rehearsed.estimate.megapixel_steps > 0
    assert rehearsed.estimate.wakes_gpu is False


def test_all_waiting_jobs_are_canceled_at_once_and_the_running_one_goes_on(service: GenerateOnCloud) -> None:
    endless_job = CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)
    running, first, second = (service.jobs.submit(endless_job).job_id for _ in range(3))
    until(service, running, sampling=True)

    canceled = service.jobs.cancel_waiting()

    assert sorted(canceled.canceled) == sorted([first, second])
    assert service.jobs.get(running).status is JobStatus.RUNNING
    service.jobs.cancel_all([running])
    assert until(service, running, sampling=False).status is JobStatus.CANCELED


def test_progress_never_goes_back(service: GenerateOnCloud) -> None:
    job_id = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id

    seen = []
    for job in service.jobs.watch(job_id):
        seen += [job.progress.step] if job.progress is not None else []
        if seen and seen[-1] > endless()["steps"]:
            # The end of the first picture was passed.
            break
    service.jobs.cancel(job_id)

    assert until(service, job_id, sampling=False).status is JobStatus.CANCELED
    assert seen == sorted(seen)
    assert seen[-1] > endless()["steps"]


def test_a_job_whose_container_is_killed_runs_once_more_and_fails_the_second_time(
    local_cloud: LocalCloud, service: GenerateOnCloud
) -> None:
    job_id = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id

    for _ in range(2):
        assert until(service, job_id, sampling=True).status is JobStatus.RUNNING
        container = container_of(local_cloud)
        os.kill(container.pid, signal.SIGKILL)
        container.wait(timeout=60)
        until_queued_or_ended(service, job_id)

    ended = until(service, job_id, sampling=False)
    assert ended.status is JobStatus.FAILED
    assert ended.error is not None
    assert ended.error.code is JobErrorCode.WORKER_LOST
    assert ended.error.retryable
    following = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT))
    assert service.jobs.finish(following.job_id).status is JobStatus.SUCCEEDED


def test_a_local_cloud_killed_in_a_job_finishes_it_after_its_restart(
    local_cloud: LocalCloud, service: GenerateOnCloud
) -> None:
    done = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT)).job_id
    service.jobs.finish(done)
    running = service.jobs.submit(
        CreateJob(task=Task.TXT2IMG, params=txt2img(steps=100, n_iter=5), checkpoint=CHECKPOINT)
    ).job_id
    waiting = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT)).job_id
    assert until(service, running, sampling=True).status is JobStatus.RUNNING
    url, key = local_cloud.api_url, local_cloud.admin_key

    local_cloud.kill()
    local_cloud.start()

    assert (local_cloud.api_url, local_cloud.admin_key) == (url, key)
    assert service.jobs.get(done).result is not None
    assert service.jobs.finish(running).status is JobStatus.SUCCEEDED
    assert service.jobs.finish(waiting).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("params", "checkpoint", "code", "pointer"),
    [
        (txt2img(), None, ProblemCode.INVALID_PARAMS, "/checkpoint"),
        (txt2img(), "nobody.safetensors", ProblemCode.ASSET_NOT_FOUND, "/checkpoint"),
        (txt2img(steps="two"), CHECKPOINT, ProblemCode.INVALID_PARAMS, "/params/steps"),
        (txt2img(sampler_name="Eular"), CHECKPOINT, ProblemCode.INVALID_PARAMS, "/params/sampler_name"),
        (txt2img(restore_faces=True), CHECKPOINT, ProblemCode.ASSET_NOT_FOUND, "/params/restore_faces"),
        (img2img(init_images=["%%%"]), CHECKPOINT, ProblemCode.INVALID_PARAMS, "/params/init_images/0"),
    ],
)
def test_a_request_that_cannot_work_is_refused_and_leaves_nothing_behind(
    service: GenerateOnCloud, params: dict[str, Any], checkpoint: str | None, code: ProblemCode, pointer: str
) -> None:
    before = service.jobs.page(limit=1).jobs
    task = Task.IMG2IMG if "init_images" in params else Task.TXT2IMG

    with pytest.raises(ProblemError) as refused:
        service.jobs.submit(CreateJob(task=task, params=params, checkpoint=checkpoint))

    assert refused.value.problem.code is code
    assert pointer in {error.pointer for error in refused.value.problem.errors}
    assert [job.job_id for job in service.jobs.page(limit=1).jobs] == [job.job_id for job in before]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/jobs/0190a000-0000-7000-8000-000000000000", ProblemCode.NOT_FOUND),
        ("GET", "/v1/jobs?cursor=nonsense", ProblemCode.INVALID_CURSOR),
        ("GET", "/v1/nothing", ProblemCode.NOT_FOUND),
        ("DELETE", "/v1/endpoints", ProblemCode.METHOD_NOT_ALLOWED),
    ],
)
def test_an_address_that_leads_nowhere_is_a_problem(
    local_cloud: LocalCloud, method: str, path: str, code: ProblemCode
) -> None:
    answer = httpx.request(method, local_cloud.api_url + path, headers={"x-api-key": local_cloud.admin_key}, timeout=60)

    assert Problem.model_validate_json(answer.content).code is code
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_key_and_a_body_that_is_too_large_are_refused(local_cloud: LocalCloud) -> None:
    url = local_cloud.api_url + "/v1/jobs"

    wrong_key = httpx.get(url, headers={"x-api-key": "goc_wrong"}, timeout=60)
    large = httpx.post(
        url, headers={"x-api-key": local_cloud.admin_key}, content=b'{"task": "' + b"x" * 4_500_000 + b'"}', timeout=60
    )

    assert Problem.model_validate_json(wrong_key.content).code is ProblemCode.UNAUTHORIZED
    assert Problem.model_validate_json(large.content).code is ProblemCode.BODY_TOO_LARGE


def test_the_endpoint_is_in_service(local_cloud: LocalCloud, service: GenerateOnCloud) -> None:
    statuses = {endpoint.name: endpoint.status for endpoint in service.endpoints.list()}

    assert statuses[local_cloud.endpoint_name] == "InService"


def test_a_user_with_a_quota_is_told_of_ended_jobs_and_frees_the_place(local_cloud: LocalCloud) -> None:
    """Users, quotas, settlement and the webhook's queue on the deployed tables, with the stack's own grants."""

    def ask(method: str, path: str, body: object = None, *, key: str = local_cloud.admin_key) -> httpx.Response:
        return httpx.request(
            method, f"{local_cloud.api_url}/v1/{path}", json=body, headers={"x-api-key": key}, timeout=60
        )

    ask("POST", "users", {"name": "guest", "role": "artist", "quotas": {"concurrent_jobs": 1}}).raise_for_status()
    key = ask("POST", "keys", {"user": "guest"}).raise_for_status().json()["key"]
    ask("POST", "me/webhook-secret", {}, key=key).raise_for_status()
    # This machine is no public address: the delivery is made, refused and logged.
    wanted = {"task": "interrogate_clip", "webhook": {"url": "https://localhost:8443/hook"}}

    job_id = ask("POST", "jobs", wanted, key=key).raise_for_status().json()["job_id"]
    second = ask("POST", "jobs", wanted, key=key)
    ask("POST", f"jobs/{job_id}/cancel", key=key).raise_for_status()
    third = ask("POST", "jobs", wanted, key=key)

    assert Problem.model_validate_json(second.content).code is ProblemCode.QUOTA_EXCEEDED
    assert third.status_code == 201
    told = wait_for(
        lambda: ask("GET", f"jobs/{job_id}/deliveries", key=key).json()["deliveries"],
        "an attempt at the webhook",
        seconds=60,
        every=0.2,
    )
    assert (told[0]["outcome"], told[0]["status"]) == ("given_up", None)
    assert ask("GET", "usage", key=key).json()["days"][0]["canceled"] == 1
    ask("POST", f"jobs/{third.json()['job_id']}/cancel", key=key).raise_for_status()

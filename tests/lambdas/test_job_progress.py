"""Progress as clients see it, waiting for it, and the small picture of a finished job."""

from typing import Any

import httpx
import pytest

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobPhase, JobStatus
from generate_on_cloud.contract.messages import JobResult, Progress
from lambdas.api.job_views import shown_progress
from tests.lambdas.cloud import Cloud, completed

SAMPLING = {"phase": "sampling", "step": 3, "steps": 12, "previews": 0}


@pytest.mark.parametrize(
    ("progress", "status", "fraction", "message"),
    [
        (Progress(phase=JobPhase.LOADING_MODELS), JobStatus.RUNNING, 0.0, "Loading models"),
        (Progress(phase=JobPhase.SAMPLING, step=3, steps=12), JobStatus.RUNNING, 0.25, "Drawing, step 3 of 12"),
        (Progress(phase=JobPhase.SAVING, step=12, steps=12), JobStatus.RUNNING, 0.99, "Saving, step 12 of 12"),
        (Progress(phase=JobPhase.SAVING, step=12, steps=12), JobStatus.SUCCEEDED, 1.0, "Done"),
        (Progress(phase=JobPhase.INTERROGATING), JobStatus.SUCCEEDED, 1.0, "Done"),
        (Progress(phase=JobPhase.SAMPLING, step=3, steps=12), JobStatus.FAILED, 0.25, "Failed, step 3 of 12"),
        (Progress(phase=JobPhase.SAMPLING, step=3, steps=12), JobStatus.CANCELED, 0.25, "Canceled, step 3 of 12"),
        (Progress(phase=JobPhase.STARTING), JobStatus.QUEUED, 0.0, "Starting a GPU"),
    ],
)
def test_progress_has_a_share_and_a_sentence(
    progress: Progress, status: JobStatus, fraction: float, message: str
) -> None:
    shown = shown_progress(progress, status)

    assert (shown.fraction, shown.message) == (fraction, message)
    assert (shown.phase, shown.step, shown.steps) == (progress.phase, progress.step, progress.steps)


@pytest.mark.parametrize("phase", JobPhase)
@pytest.mark.parametrize("status", JobStatus)
def test_every_phase_in_every_status_has_a_sentence(phase: JobPhase, status: JobStatus) -> None:
    assert shown_progress(Progress(phase=phase), status).message


def running(cloud: Cloud) -> tuple[str, str]:
    """A running job's path and the tag of its view."""
    job_id = cloud.job().job_id
    cloud.run(job_id)
    cloud.write(job_id, progress=SAMPLING)
    return job_id, cloud.ask("GET", f"/v1/jobs/{job_id}").headers["ETag"]


def wait(cloud: Cloud, job_id: str, tag: str | None) -> Any:
    headers = {"If-None-Match": tag} if tag else {}
    return cloud.ask("GET", f"/v1/jobs/{job_id}", query={"wait": "20"}, headers=headers)


def test_who_has_a_view_waits_for_the_next_step(cloud: Cloud) -> None:
    job_id, tag = running(cloud)
    cloud.clock.during_sleep += [
        lambda: cloud.write(job_id, heartbeat_at=1),
        lambda: cloud.write(job_id, progress={**SAMPLING, "step": 4}),
    ]

    reply = wait(cloud, job_id, tag)

    assert reply.ok()["progress"]["step"] == 4
    assert reply.headers["ETag"] != tag
    assert len(cloud.clock.slept) == 2


def test_who_has_no_view_waits_for_the_next_status_only(cloud: Cloud) -> None:
    job_id, _ = running(cloud)
    cloud.clock.during_sleep += [lambda: cloud.write(job_id, progress={**SAMPLING, "step": 4})]

    assert wait(cloud, job_id, None).ok()["progress"]["step"] == 4
    assert len(cloud.clock.slept) == 20


def test_who_has_an_old_view_is_answered_at_once(cloud: Cloud) -> None:
    job_id, tag = running(cloud)
    cloud.write(job_id, progress={**SAMPLING, "step": 4})

    assert wait(cloud, job_id, tag).ok()["progress"]["step"] == 4
    assert cloud.clock.slept == []


def test_a_wait_without_news_ends_with_not_modified(cloud: Cloud) -> None:
    job_id, tag = running(cloud)

    reply = wait(cloud, job_id, tag)

    assert (reply.status, reply.text) == (304, "")
    assert len(cloud.clock.slept) == 20


def succeeded(cloud: Cloud, *, thumbnail: bool) -> str:
    job_id = cloud.job(output_key="endpoint-output/x.out").job_id
    cloud.run(job_id)
    location = cloud.put_result(job_id, key="endpoint-output/x.out")
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key="endpoint-output/x.out")["Body"].read()
    result = JobResult.model_validate_json(stored).model_copy(update={"thumbnail": thumbnail})
    cloud.put("endpoint-output/x.out", result.model_dump_json().encode())
    if thumbnail:
        cloud.put(f"jobs/{job_id}/output/thumbnail.webp", b"small")
    assert cloud.events.handle(completed(job_id, location)) is not None
    return job_id


def test_a_finished_jobs_small_picture_is_in_lists_and_goes_with_the_job(cloud: Cloud) -> None:
    job_id = succeeded(cloud, thumbnail=True)

    (line,) = cloud.ask("GET", "/v1/jobs").ok()["jobs"]
    view = cloud.ask("GET", f"/v1/jobs/{job_id}").ok()

    for url in (line["thumbnail_url"], view["thumbnail_url"]):
        assert httpx.URL(url).path.endswith(f"/jobs/{job_id}/output/thumbnail.webp")
        assert "Signature" in url
    cloud.ask("DELETE", f"/v1/jobs/{job_id}")
    assert job_id not in str(cloud.keys())


def test_a_job_without_a_small_picture_has_no_url_of_one(cloud: Cloud) -> None:
    job_id = succeeded(cloud, thumbnail=False)
    failed = cloud.job()
    error = JobError.of(JobErrorCode.BAD_IMAGE, "why")
    cloud.job_transitions.finish(failed, JobStatus.FAILED, now=cloud.clock.now, error=error)

    for one in (job_id, failed.job_id):
        assert cloud.ask("GET", f"/v1/jobs/{one}").ok()["thumbnail_url"] is None

"""The sweeper: what was lost is found, what is dead is ended, what lives is left alone."""

from collections import Counter
from datetime import timedelta

import pytest

from inference_container.contract.errors import JobError, JobErrorCode
from inference_container.contract.jobs import JobStatus
from lambdas.items import new_id
from lambdas.jobs import JobRecord
from tests.lambdas.cloud import START, Cloud

OOM = JobError.of(JobErrorCode.OUT_OF_MEMORY, "too big")


def sent(cloud: Cloud) -> JobRecord:
    name = new_id()
    return cloud.job(output_key=f"endpoint-output/{name}.out", failure_key=f"endpoint-failure/{name}")


def sweep(cloud: Cloud, after: timedelta) -> dict[JobStatus, int]:
    return dict(Counter(job.status for job in cloud.sweeper.sweep(START + after).ended))


@pytest.mark.parametrize("running", [True, False])
def test_a_lost_success_is_found_in_the_output_object(cloud: Cloud, running: bool) -> None:
    job = sent(cloud)
    if running:
        cloud.run(job.job_id)
    cloud.put_result(job.job_id, key=job.output_key)

    assert sweep(cloud, timedelta(minutes=4)) == {JobStatus.SUCCEEDED: 1}

    assert cloud.status(job.job_id) == "succeeded"


def test_a_lost_failure_is_found_in_the_failure_object(cloud: Cloud) -> None:
    job = sent(cloud)
    assert job.failure_key is not None
    cloud.put(job.failure_key, b"model container died")

    sweep(cloud, timedelta(minutes=4))

    error = cloud.row(job.job_id)["error"]
    assert (error["code"], error["message"]) == ("worker_lost", "model container died")


def test_a_worker_without_heartbeat_is_lost_after_ten_minutes(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id)

    assert sweep(cloud, timedelta(minutes=9)) == {}
    assert sweep(cloud, timedelta(minutes=11)) == {JobStatus.FAILED: 1}

    error = cloud.row(job.job_id)["error"]
    assert (error["code"], error["retryable"]) == ("worker_lost", True)
    assert "660 seconds" in error["message"]


def test_a_heartbeat_between_looking_and_writing_saves_the_job(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id)
    seen = cloud.jobs.get(job.job_id)
    assert seen is not None
    cloud.write(job.job_id, heartbeat_at=int((START + timedelta(minutes=11)).timestamp()))

    ended = cloud.jobs.finish(
        seen, JobStatus.FAILED, now=START, allowed=(JobStatus.RUNNING,), heartbeat_seen=seen.heartbeat_at
    )

    assert ended is None
    assert cloud.status(job.job_id) == "running"


def test_a_living_job_is_left_alone_without_a_look_at_its_objects(cloud: Cloud) -> None:
    job, waiting = sent(cloud), sent(cloud)
    cloud.run(job.job_id, heartbeat=START + timedelta(hours=2))
    cloud.put_result(job.job_id, key=job.output_key)
    cloud.counted()

    assert sweep(cloud, timedelta(hours=2, minutes=1)) == {}

    assert (cloud.status(job.job_id), cloud.status(waiting.job_id)) == ("running", "queued")
    assert cloud.calls["GetObject"] == 2  # the waiting job's only


def test_a_job_nobody_claimed_for_seven_hours_is_expired(cloud: Cloud) -> None:
    job = sent(cloud)

    assert sweep(cloud, timedelta(hours=6, minutes=59)) == {}
    assert sweep(cloud, timedelta(hours=7, minutes=1)) == {JobStatus.EXPIRED: 1}

    assert cloud.row(job.job_id)["error"]["code"] == "timed_out"


def test_a_job_whose_params_never_came_is_expired_after_a_day(cloud: Cloud) -> None:
    job = cloud.job(status=JobStatus.CREATED)

    assert sweep(cloud, timedelta(hours=23)) == {}
    assert sweep(cloud, timedelta(hours=24, minutes=1)) == {JobStatus.EXPIRED: 1}

    assert cloud.status(job.job_id) == "expired"


def test_ended_jobs_are_not_looked_at_again(cloud: Cloud) -> None:
    jobs = [sent(cloud) for _ in range(3)]
    sweep(cloud, timedelta(hours=8))
    cloud.counted()

    assert sweep(cloud, timedelta(hours=9)) == {}

    assert cloud.counted() == 1
    assert {cloud.status(job.job_id) for job in jobs} == {"expired"}


def test_more_open_jobs_than_one_batch_are_all_swept(cloud: Cloud) -> None:
    for _ in range(101):
        cloud.job(status=JobStatus.CREATED)

    assert sweep(cloud, timedelta(hours=25)) == {JobStatus.EXPIRED: 101}


def test_an_unreadable_result_does_not_keep_the_others_waiting(cloud: Cloud) -> None:
    broken, good = sent(cloud), sent(cloud)
    assert broken.output_key is not None
    cloud.put(broken.output_key, b"nonsense")
    cloud.put_result(good.job_id, key=good.output_key)

    assert sweep(cloud, timedelta(minutes=5)) == {JobStatus.FAILED: 1, JobStatus.SUCCEEDED: 1}


def test_a_sweep_tells_how_many_jobs_are_open_and_since_when_the_oldest_waits(cloud: Cloud) -> None:
    oldest = sent(cloud)
    sent(cloud)

    swept = cloud.sweeper.sweep(START + timedelta(minutes=1))

    assert (swept.open, swept.oldest) == (2, oldest.queued_at)

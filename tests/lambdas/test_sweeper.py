"""The sweeper: what was lost is found, what is dead is ended, what lives is left alone."""

from collections import Counter
from datetime import timedelta

import pytest

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import MAX_RETRIES, JobStatus
from generate_on_cloud.contract.messages import JobFailure
from lambdas.aws.rows import new_id, timestamp
from lambdas.functions.job_events import MalformedError
from lambdas.jobs.record import JobRecord
from tests.lambdas.cloud import START, Cloud, aws_error, completed, failed, notification

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


def test_a_running_jobs_lost_success_is_found_after_a_minute_of_silence_a_queued_ones_after_three(cloud: Cloud) -> None:
    running, queued = sent(cloud), sent(cloud)
    cloud.run(running.job_id)
    for job in (running, queued):
        cloud.put_result(job.job_id, key=job.output_key)

    sweep(cloud, timedelta(seconds=59))
    assert (cloud.status(running.job_id), cloud.status(queued.job_id)) == ("running", "queued")
    sweep(cloud, timedelta(seconds=61))
    assert (cloud.status(running.job_id), cloud.status(queued.job_id)) == ("succeeded", "queued")
    sweep(cloud, timedelta(seconds=181))

    assert cloud.status(queued.job_id) == "succeeded"


def test_a_lost_failure_is_found_in_the_failure_object(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.lose_worker(job.job_id)
    assert job.failure_key is not None
    cloud.put(job.failure_key, b"model container died")

    sweep(cloud, timedelta(minutes=4))

    error = cloud.row(job.job_id)["error"]
    assert (error["code"], error["message"]) == ("worker_lost", "model container died")


def test_a_second_worker_without_heartbeat_is_lost_after_ten_minutes(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id)
    cloud.lose_worker(job.job_id)

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

    ended = cloud.job_transitions.finish(
        seen, JobStatus.FAILED, now=START, allowed=(JobStatus.RUNNING,), heartbeat_seen=seen.heartbeat_at
    )

    assert ended is None
    assert cloud.status(job.job_id) == "running"


def test_a_living_job_is_left_alone_without_a_look_at_its_objects(cloud: Cloud) -> None:
    job, waiting = sent(cloud), sent(cloud)
    cloud.run(job.job_id, heartbeat=START + timedelta(hours=2))
    cloud.put_result(job.job_id, key=job.output_key)
    cloud.counted()

    assert sweep(cloud, timedelta(hours=2, seconds=30)) == {}

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


def test_a_job_that_loses_its_first_worker_is_queued_and_sent_once_more(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id)

    assert sweep(cloud, timedelta(minutes=11)) == {}

    row = cloud.row(job.job_id)
    assert (row["status"], [invoked["id"] for invoked in cloud.endpoint.invoked]) == ("queued", [job.job_id])
    assert row["output_key"] == f"endpoint-output/{job.job_id}.out"
    assert not {"started_at", "worker_id", "heartbeat_at", "progress"} & set(row)
    cloud.run(job.job_id, heartbeat=START + timedelta(minutes=12))
    assert sweep(cloud, timedelta(minutes=23)) == {JobStatus.FAILED: 1}
    assert len(cloud.endpoint.invoked) == 1


def test_a_job_that_was_to_be_canceled_is_canceled_when_its_worker_is_lost(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id)
    cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel").ok()

    assert sweep(cloud, timedelta(minutes=11)) == {JobStatus.CANCELED: 1}

    assert cloud.endpoint.invoked == []


def test_a_job_whose_sender_died_before_it_was_handed_over_is_sent_after_two_minutes(cloud: Cloud) -> None:
    job = stranded(cloud)

    sweep(cloud, timedelta(minutes=1, seconds=59))
    assert cloud.endpoint.invoked == []
    sweep(cloud, timedelta(minutes=2, seconds=1))
    sweep(cloud, timedelta(minutes=3))

    assert [invoked["id"] for invoked in cloud.endpoint.invoked] == [job.job_id]
    assert cloud.row(job.job_id)["output_key"] == f"endpoint-output/{job.job_id}.out"
    assert cloud.status(job.job_id) == "queued"


def test_a_job_no_endpoint_takes_fails_after_some_attempts_with_the_reason(cloud: Cloud) -> None:
    job = stranded(cloud)
    cloud.endpoint.status = None

    ended = [sweep(cloud, timedelta(minutes=3 * attempt)) for attempt in range(1, 5)]

    assert ended == [{}, {}, {}, {JobStatus.FAILED: 1}]
    error = cloud.row(job.job_id)["error"]
    assert (error["code"], error["retryable"]) == ("internal", True)
    assert "could not be sent to the endpoint artists in 4 attempts" in error["message"]


def test_a_start_that_died_before_its_request_was_stored_can_be_started_again(cloud: Cloud) -> None:
    job = cloud.job(request_key="jobs/x/request.json", params_key="jobs/x/params.json")

    sweep(cloud, timedelta(minutes=3))

    assert (cloud.status(job.job_id), cloud.endpoint.invoked) == ("created", [])


def test_a_job_sent_twice_keeps_the_result_of_the_delivery_that_ran(cloud: Cloud) -> None:
    job = stranded(cloud)
    sweep(cloud, timedelta(minutes=3))
    cloud.run(job.job_id)
    first = cloud.put_result(job.job_id, key="endpoint-output/of-the-first-delivery.out")
    elsewhere = JobError.of(JobErrorCode.RUNS_ELSEWHERE, "already running")

    refused = failed(job.job_id, cloud.put_failure(job.job_id, elsewhere))
    with pytest.raises(MalformedError):
        cloud.events.handle(refused)
    assert cloud.status(job.job_id) == "running"
    cloud.events.handle(completed(job.job_id, first))

    assert (cloud.status(job.job_id), cloud.row(job.job_id)["output_key"]) == (
        "succeeded",
        "endpoint-output/of-the-first-delivery.out",
    )


def test_late_words_about_a_lost_worker_do_not_end_the_second_attempt(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id)
    sweep(cloud, timedelta(minutes=11))
    late = failed(job.job_id, reason="the container was killed")

    with pytest.raises(MalformedError):
        cloud.events.handle(late)

    assert cloud.status(job.job_id) == "queued"


def stranded(cloud: Cloud) -> JobRecord:
    """A job whose row and request are there, and nothing else."""
    job = cloud.job()
    cloud.write(job.job_id, request_key=f"jobs/{job.job_id}/request.json")
    cloud.put(f"jobs/{job.job_id}/request.json", b"{}")
    return job


# --- upgrades

MISMATCH = JobError.of(
    JobErrorCode.CONTRACT_MISMATCH, "the request has contract version 3, this container supports up to 2"
)


def refused(cloud: Cloud) -> JobRecord:
    """A job on its endpoint, whose container is older than the API that sent it."""
    job = sent(cloud)
    assert job.failure_key is not None
    cloud.put(job.failure_key, JobFailure(job_id=job.job_id, error=MISMATCH).model_dump_json().encode())
    cloud.events.handle(failed(job.job_id, f"s3://jobs-bucket/{job.failure_key}"))
    return job


def test_a_job_an_older_container_refused_is_sent_again_until_the_newer_one_is_there(cloud: Cloud) -> None:
    job = refused(cloud)
    before = (cloud.status(job.job_id), len(cloud.endpoint.invoked))

    sweep(cloud, timedelta(minutes=4))
    again = len(cloud.endpoint.invoked)
    cloud.events.handle(completed(job.job_id, cloud.put_result(job.job_id)))

    assert before == ("queued", 0)
    assert again == 1
    assert cloud.status(job.job_id) == "succeeded"


def test_refusals_of_an_upgrade_do_not_use_up_the_attempts_to_send_a_job(cloud: Cloud) -> None:
    job = refused(cloud)

    for minute in range(4, 59, 3):
        cloud.put_failure(job.job_id, MISMATCH)
        sweep(cloud, timedelta(minutes=minute))

    row = cloud.row(job.job_id)
    assert (row["status"], row["sends"], row["refusals"]) == ("queued", 19, 19)


def test_a_container_that_stays_older_fails_the_job_with_the_reason(cloud: Cloud) -> None:
    job = refused(cloud)

    assert sweep(cloud, timedelta(minutes=61)) == {JobStatus.FAILED: 1}

    assert cloud.row(job.job_id)["error"]["code"] == "contract_mismatch"


# --- a worker that was lost


def test_a_lost_worker_counts_gpu_seconds_to_its_last_heartbeat_only(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id, heartbeat=cloud.clock.now + timedelta(seconds=30))
    cloud.lose_worker(job.job_id)

    assert sweep(cloud, timedelta(minutes=12)) == {JobStatus.FAILED: 1}

    (day,) = cloud.ask("GET", "/v1/usage").ok()["days"]
    assert day["gpu_seconds"] == pytest.approx(30, abs=1)


def test_an_output_of_the_lost_worker_does_not_end_the_second_attempt(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.write(job.job_id, request_key=f"jobs/{job.job_id}/request.json")
    cloud.put(f"jobs/{job.job_id}/request.json", b"{}")
    cloud.run(job.job_id)
    sweep(cloud, timedelta(minutes=11))
    row = cloud.row(job.job_id)
    location = cloud.put_result(job.job_id, key="endpoint-output/of-the-lost-worker.out")
    # Without the time, which alone would give it away.
    late = notification(job.job_id, "Completed", receivedTime=None, responseParameters={"outputLocation": location})

    with pytest.raises(MalformedError, match="does not belong to job"):
        cloud.events.handle(late)

    assert row["sends"] > 0
    assert row["output_key"] != "endpoint-output/of-the-lost-worker.out"
    assert cloud.status(job.job_id) == "queued"


def test_a_silent_worker_that_had_all_its_time_timed_out(cloud: Cloud) -> None:
    """Its notification was lost, and SageMaker wrote no object."""
    job = sent(cloud)
    cloud.run(job.job_id, heartbeat=START + timedelta(seconds=898))

    assert sweep(cloud, timedelta(seconds=900 + 11 * 60)) == {JobStatus.FAILED: 1}

    assert cloud.row(job.job_id)["error"]["code"] == "timed_out"


def lose(cloud: Cloud, job_id: str) -> str:
    """Let the job's worker claim it and fall silent, and sweep when it is found to be dead; the job's status then."""
    cloud.run(job_id)
    cloud.clock.now += timedelta(minutes=11)
    cloud.sweeper.sweep(cloud.clock.now)
    return cloud.status(job_id)


def sent_when(cloud: Cloud, job_id: str) -> timedelta:
    """How long after the worker was lost a sweep every half minute hands the job over again."""
    lost, before = cloud.clock.now, len(cloud.endpoint.invoked)
    while len(cloud.endpoint.invoked) == before:
        assert cloud.clock.now - lost < timedelta(minutes=10), f"job {job_id} was never sent again"
        cloud.clock.now += timedelta(seconds=30)
        cloud.sweeper.sweep(cloud.clock.now)
    return cloud.clock.now - lost


@pytest.mark.parametrize("retries", range(MAX_RETRIES + 1))
def test_a_job_gets_as_many_workers_as_it_may_lose_each_later_than_the_one_before(cloud: Cloud, retries: int) -> None:
    job = sent(cloud)
    cloud.write(job.job_id, retries=retries)
    pauses = []

    for lost in range(retries):
        before = len(cloud.endpoint.invoked)
        assert lose(cloud, job.job_id) == "queued"
        at_once = len(cloud.endpoint.invoked) > before
        pauses.append(timedelta(0) if at_once else sent_when(cloud, job.job_id))
        assert cloud.row(job.job_id)["losses"] == lost + 1
    assert lose(cloud, job.job_id) == "failed"

    assert pauses == [timedelta(0), timedelta(minutes=1), timedelta(minutes=4)][:retries]
    assert cloud.row(job.job_id)["error"]["code"] == "worker_lost"
    assert len(cloud.endpoint.invoked) == retries


def test_a_job_that_says_nothing_is_tried_once_more_and_one_of_an_older_release_too(cloud: Cloud) -> None:
    job, old = sent(cloud), sent(cloud)
    cloud.lose_worker(old.job_id)

    assert [lose(cloud, job.job_id), lose(cloud, old.job_id)] == ["queued", "failed"]
    assert "retries" not in cloud.row(job.job_id)


def test_a_job_that_waits_for_its_next_worker_can_be_canceled_and_is_then_never_sent(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.write(job.job_id, retries=2)
    lose(cloud, job.job_id)
    lose(cloud, job.job_id)
    before = len(cloud.endpoint.invoked)

    cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel").ok()
    for _ in range(6):
        cloud.clock.now += timedelta(minutes=1)
        cloud.sweeper.sweep(cloud.clock.now)

    assert (cloud.status(job.job_id), len(cloud.endpoint.invoked)) == ("canceled", before)


def test_an_endpoint_that_refuses_a_later_attempt_is_asked_again_as_often_as_for_a_first_one(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.write(job.job_id, retries=2, request_key=f"jobs/{job.job_id}/request.json")
    cloud.put(f"jobs/{job.job_id}/request.json", b"{}")
    lose(cloud, job.job_id)
    lose(cloud, job.job_id)
    cloud.endpoint.invoke_error = aws_error("ServiceUnavailable")
    for _ in range(4):
        cloud.clock.now += timedelta(minutes=1)
        cloud.sweeper.sweep(cloud.clock.now)
    cloud.endpoint.invoke_error = None

    assert cloud.status(job.job_id) == "queued"
    assert sent_when(cloud, job.job_id) <= timedelta(minutes=3)


# --- queues that went with their endpoint


def handed_over(cloud: Cloud) -> JobRecord:
    """A job in the queue of its endpoint."""
    job = sent(cloud)
    cloud.write(job.job_id, queued_at=timestamp(START))
    return job


def test_jobs_of_a_replaced_endpoint_are_sent_to_the_one_that_has_its_name_now(cloud: Cloud) -> None:
    job = handed_over(cloud)
    cloud.endpoint.created_at = START + timedelta(minutes=10)

    sweep(cloud, timedelta(minutes=11))
    sweep(cloud, timedelta(minutes=15))

    row = cloud.row(job.job_id)
    assert [sent["id"] for sent in cloud.endpoint.invoked] == [job.job_id]
    assert row["output_key"] != job.output_key
    assert "queue_lost_at" not in row


def test_jobs_wait_for_an_endpoint_that_is_being_made_in_place_of_a_failed_one(cloud: Cloud) -> None:
    job = handed_over(cloud)

    cloud.endpoint.status = "Failed"
    sweep(cloud, timedelta(minutes=4))
    cloud.endpoint.status = None
    sweep(cloud, timedelta(minutes=8))
    cloud.endpoint.status, cloud.endpoint.created_at = "Creating", START + timedelta(minutes=9)
    for minutes in range(10, 40, 5):
        sweep(cloud, timedelta(minutes=minutes))
    waiting = (cloud.status(job.job_id), cloud.endpoint.invoked.copy())
    cloud.endpoint.status = "InService"
    sweep(cloud, timedelta(minutes=40))

    assert waiting == ("queued", [])
    assert [sent["id"] for sent in cloud.endpoint.invoked] == [job.job_id]
    assert cloud.status(job.job_id) == "queued"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (None, "The endpoint artists was deleted."),
        ("Failed", "The endpoint artists is Failed: no capacity"),
        ("Deleting", "The endpoint artists is Deleting: no capacity"),
    ],
)
def test_jobs_whose_endpoint_is_gone_end_with_the_reason_within_minutes(
    cloud: Cloud, status: str | None, why: str
) -> None:
    job = handed_over(cloud)
    cloud.endpoint.status, cloud.endpoint.failure_reason = status, "no capacity"

    ended = [sweep(cloud, timedelta(minutes=minutes)) for minutes in range(4, 24)]

    assert [each for each in ended if each] == [{JobStatus.FAILED: 1}]
    assert cloud.row(job.job_id)["error"]["message"].startswith(f"{why} No other took its place within 15 minutes")


def test_an_endpoint_is_asked_for_once_a_sweep_and_not_for_young_jobs(cloud: Cloud) -> None:
    for _ in range(3):
        handed_over(cloud)

    sweep(cloud, timedelta(minutes=2))
    young = cloud.endpoint.calls["DescribeEndpoint"]
    sweep(cloud, timedelta(minutes=4))

    assert (young, cloud.endpoint.calls["DescribeEndpoint"]) == (0, 1)

"""The job's row: who may claim it, how it is kept alive, and when it is not ours any more."""

from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import Progress
from inference_container.job_record import CONFLICT_TRIES, LOST_AFTER_SECONDS
from tests.container.conftest import Cloud, HandClock

START = HandClock().now


def refused_claim(cloud: Cloud, clock: HandClock | None = None) -> JobFailed:
    before = cloud.job("j")
    with pytest.raises(JobFailed) as caught:
        cloud.records(clock=clock).claim("j")
    assert cloud.job("j") == before
    return caught.value


def test_a_queued_job_becomes_running_under_this_worker(cloud: Cloud) -> None:
    cloud.put_job("j", "queued", owner={"S": "ann"})

    cloud.records().claim("j")

    assert cloud.job("j") == {
        "job_id": {"S": "j"},
        "owner": {"S": "ann"},
        "status": {"S": "running"},
        "started_at": {"S": "2027-01-15T08:00:00.000000Z"},
        "worker_id": {"S": "worker-1"},
        "heartbeat_at": {"N": "1800000000.000"},
        "progress": {
            "M": {"phase": {"S": "starting"}, "step": {"N": "0"}, "steps": {"N": "0"}, "previews": {"N": "0"}}
        },
    }


def test_a_job_whose_worker_was_lost_is_taken_over_at_once(cloud: Cloud) -> None:
    last_beat = START - LOST_AFTER_SECONDS - 0.1
    cloud.put_job("j", "running", worker_id={"S": "worker-0"}, heartbeat_at={"N": str(last_beat)})
    clock = HandClock()

    cloud.records(clock=clock).claim("j")

    assert cloud.job("j")["worker_id"]["S"] == "worker-1"
    assert clock.now == START


def test_a_job_whose_worker_has_just_died_is_taken_over_once_its_heartbeat_is_old(cloud: Cloud) -> None:
    cloud.put_job("j", "running", worker_id={"S": "worker-0"}, heartbeat_at={"N": str(START - 1)})
    clock = HandClock()

    cloud.records(clock=clock).claim("j")

    assert cloud.job("j")["worker_id"]["S"] == "worker-1"
    assert LOST_AFTER_SECONDS - 1 < clock.now - START <= LOST_AFTER_SECONDS + 1


def test_a_job_that_another_worker_keeps_alive_is_refused_after_a_while(cloud: Cloud) -> None:
    cloud.put_job("j", "running", worker_id={"S": "worker-0"}, heartbeat_at={"N": str(START + 1000)})

    refusal = refused_claim(cloud)

    assert refusal.error.code is JobErrorCode.RUNS_ELSEWHERE
    assert refusal.error.message == "job j is already running on worker worker-0"


def test_a_canceled_job_is_refused_as_canceled(cloud: Cloud) -> None:
    cloud.put_job("j", "canceled")

    assert refused_claim(cloud).error.code is JobErrorCode.CANCELED


@pytest.mark.parametrize("status", ["succeeded", "failed", "expired"])
def test_a_job_that_has_ended_is_not_run_again(cloud: Cloud, status: str) -> None:
    cloud.put_job("j", status)

    assert refused_claim(cloud).error.message == f"job j has already finished ({status}); nothing was done"


def test_a_job_that_is_not_started_is_refused(cloud: Cloud) -> None:
    cloud.put_job("j", "created")

    assert "job j is created" in refused_claim(cloud).error.message


def test_a_job_nobody_knows_is_refused_and_no_row_appears(cloud: Cloud) -> None:
    assert refused_claim(cloud).error.message == "job j does not exist"
    assert cloud.job("j") == {}


def test_a_lost_job_whose_user_gave_up_is_canceled_at_the_claim(cloud: Cloud) -> None:
    cloud.put_job("j", "running", heartbeat_at={"N": "1"}, cancel_requested={"BOOL": True})

    with pytest.raises(JobFailed) as caught:
        cloud.records().claim("j")

    assert caught.value.error.code is JobErrorCode.CANCELED


def test_waiting_for_a_claim_can_be_broken_off(cloud: Cloud) -> None:
    cloud.put_job("j", "running", heartbeat_at={"N": str(START + 1000)})

    def stop() -> None:
        raise JobFailed(JobErrorCode.WORKER_LOST, "stopping")

    with pytest.raises(JobFailed, match="stopping"):
        cloud.records().claim("j", check=stop)


def test_a_beat_writes_time_and_progress_and_nothing_else(cloud: Cloud) -> None:
    cloud.put_job("j", "queued")
    clock = HandClock()
    records = cloud.records(clock=clock)
    records.claim("j")
    before = cloud.job("j")

    clock.now += 2.5
    records.beat("j", Progress(phase=JobPhase.SAMPLING, step=3, steps=16))

    after = cloud.job("j")
    assert after.pop("heartbeat_at") == {"N": "1800000002.500"}
    assert after.pop("progress") == {
        "M": {"phase": {"S": "sampling"}, "step": {"N": "3"}, "steps": {"N": "16"}, "previews": {"N": "0"}}
    }
    assert after == {name: value for name, value in before.items() if name not in {"heartbeat_at", "progress"}}


def test_a_beat_learns_of_a_skip_and_is_written(cloud: Cloud) -> None:
    cloud.put_job("j", "queued")
    clock = HandClock()
    records = cloud.records(clock=clock)
    records.claim("j")
    cloud.skip("j", 1)
    clock.now += 2.5

    assert records.beat("j", Progress(phase=JobPhase.SAMPLING)) == 1

    assert cloud.job("j")["heartbeat_at"] == {"N": "1800000002.500"}
    assert records.beat("j", Progress(phase=JobPhase.SAMPLING), skips=1) == 1


def test_a_beat_learns_that_the_user_canceled(cloud: Cloud) -> None:
    cloud.put_job("j", "queued")
    records = cloud.records()
    records.claim("j")
    cloud.cancel("j")

    with pytest.raises(JobFailed) as caught:
        records.beat("j", Progress(phase=JobPhase.SAMPLING))

    assert caught.value.error.code is JobErrorCode.CANCELED


@pytest.mark.parametrize(
    ("status", "worker", "code"),
    [
        ("running", "worker-2", JobErrorCode.WORKER_LOST),
        ("failed", "worker-1", JobErrorCode.WORKER_LOST),
        ("canceled", "worker-1", JobErrorCode.CANCELED),
    ],
)
def test_a_beat_for_a_job_that_is_not_ours_any_more_stops_it_and_writes_nothing(
    cloud: Cloud, status: str, worker: str, code: JobErrorCode
) -> None:
    cloud.put_job("j", status, worker_id={"S": worker})
    before = cloud.job("j")

    with pytest.raises(JobFailed) as caught:
        cloud.records().beat("j", Progress(phase=JobPhase.SAMPLING))

    assert caught.value.error.code is code
    assert cloud.job("j") == before


def test_a_beat_for_a_row_that_is_gone_makes_no_row(cloud: Cloud) -> None:
    with pytest.raises(JobFailed, match="it is gone"):
        cloud.records().beat("j", Progress(phase=JobPhase.SAMPLING))

    assert cloud.job("j") == {}


class Conflicting:
    """A table of which transactions write the row whenever a worker wants to."""

    def __init__(self, client: Any, conflicts: int) -> None:
        self._client = client
        self._conflicts = conflicts

    def update_item(self, **request: Any) -> Any:
        if self._conflicts:
            self._conflicts -= 1
            raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": "busy"}}, "UpdateItem")
        return self._client.update_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.mark.parametrize(("conflicts", "claimed"), [(CONFLICT_TRIES - 1, True), (CONFLICT_TRIES, False)])
def test_a_row_that_a_transaction_is_writing_is_claimed_a_moment_later(
    cloud: Cloud, conflicts: int, claimed: bool
) -> None:
    cloud.put_job("j", "queued")
    records = replace(cloud.records(), client=cast("Any", Conflicting(cloud.dynamodb, conflicts)))

    if claimed:
        records.claim("j")
    else:
        with pytest.raises(ClientError, match="busy"):
            records.claim("j")

    assert cloud.job("j")["status"]["S"] == ("running" if claimed else "queued")

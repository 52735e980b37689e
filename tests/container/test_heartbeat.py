"""The heartbeat thread: alive while nothing is reported, steps that only grow, and the order to stop."""

import threading
from collections.abc import Callable
from contextlib import suppress

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import Progress
from inference_container.heartbeat import Heartbeat
from inference_container.job_record import JobRecords
from tests.container.conftest import Cloud
from tests.container.watched_records import WatchedRecords, watched


def wait_until_stopped(
    heartbeat: Heartbeat, records: WatchedRecords, order: Callable[[], None] = lambda: None
) -> JobFailed:
    while True:
        order()
        try:
            heartbeat.check()
        except JobFailed as stop:
            return stop
        assert records.beaten.acquire(timeout=20)


def test_a_job_that_reports_nothing_is_kept_alive(cloud: Cloud) -> None:
    records = watched(cloud)

    with Heartbeat(records, "j", seconds=0.01):
        records.wait_for(3)

    assert cloud.job("j")["progress"]["M"]["phase"] == {"S": "starting"}


def test_reports_reach_the_row_and_the_end_stops_the_beats(cloud: Cloud) -> None:
    records = watched(cloud)

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        heartbeat.report(Progress(phase=JobPhase.SAMPLING, step=4, steps=9))
        records.wait_for(2)
        assert cloud.job("j")["progress"]["M"]["step"] == {"N": "4"}
    count = len(records.beats)

    assert not any(thread.name == "heartbeat j" for thread in threading.enumerate())
    assert len(records.beats) == count


def test_skips_are_counted_from_the_first_beat_on(cloud: Cloud) -> None:
    records = watched(cloud)
    cloud.skip("j", 2)  # of a worker that was lost

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        records.wait_for(2)
        assert heartbeat.skips == 0
        cloud.skip("j", 3)
        records.wait_for(2)
        assert heartbeat.skips == 1

    assert cloud.job("j")["skips"] == {"N": "3"}


def test_cancelling_stops_the_job_at_its_next_report(cloud: Cloud) -> None:
    records = watched(cloud)

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        heartbeat.enter(JobPhase.LOADING_MODELS)
        stop = wait_until_stopped(heartbeat, records, lambda: cloud.cancel("j"))

        assert stop.error.code is JobErrorCode.CANCELED
        with pytest.raises(JobFailed, match="the job was canceled"):
            heartbeat.report(Progress(phase=JobPhase.SAMPLING))


def test_a_table_that_cannot_be_reached_for_a_while_does_not_stop_the_job(cloud: Cloud) -> None:
    unreachable = EndpointConnectionError(endpoint_url="http://table.invalid")
    records = watched(cloud, failures=(unreachable, RuntimeError("a bug of ours"), unreachable))

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        heartbeat.report(Progress(phase=JobPhase.SAMPLING, step=1, steps=2))
        records.wait_for(5)
        heartbeat.check()
        assert cloud.job("j")["progress"]["M"]["step"] == {"N": "1"}


def test_a_job_too_short_for_a_beat_ends_with_all_its_steps_and_a_failed_one_with_those_it_did(cloud: Cloud) -> None:
    for failure, step in ((None, "9"), (KeyError("latents"), "4")):
        records = watched(cloud)
        with suppress(KeyError), Heartbeat(records, "j", seconds=1000) as heartbeat:
            heartbeat.report(Progress(phase=JobPhase.SAMPLING, step=4, steps=9))
            if failure is not None:
                raise failure

        assert cloud.job("j")["progress"]["M"]["step"] == {"N": step}
        assert cloud.job("j")["progress"]["M"]["phase"] == {"S": "sampling"}


def test_the_end_of_a_job_does_not_wait_for_a_table_that_refuses(cloud: Cloud) -> None:
    unreachable = EndpointConnectionError(endpoint_url="http://table.invalid")
    records = watched(cloud, failures=(unreachable,))

    with Heartbeat(records, "j", seconds=1000):
        pass

    assert len(records.beats) == 1


def test_a_job_that_is_no_longer_ours_is_left_alone_at_its_end(cloud: Cloud) -> None:
    records = watched(cloud)

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        wait_until_stopped(heartbeat, records, lambda: cloud.cancel("j"))
        count = len(records.beats)

    assert len(records.beats) == count


def test_a_job_that_was_taken_over_is_stopped(cloud: Cloud) -> None:
    records = watched(cloud)

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        stop = wait_until_stopped(
            heartbeat, records, lambda: cloud.put_job("j", "running", worker_id={"S": "worker-2"})
        )

        assert stop.error.code is JobErrorCode.WORKER_LOST

    assert cloud.job("j")["worker_id"] == {"S": "worker-2"}


def test_the_first_reason_to_stop_counts(cloud: Cloud) -> None:
    heartbeat = Heartbeat(cloud.records(), "j", seconds=1)

    heartbeat.stop_job(JobErrorCode.CANCELED, "first")
    heartbeat.stop_job(JobErrorCode.WORKER_LOST, "second")

    with pytest.raises(JobFailed, match="first"):
        heartbeat.check()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(JobPhase)), st.integers(0, 99), st.integers(0, 99)), max_size=12))
def test_steps_never_go_back_whatever_is_reported(reports: list[tuple[JobPhase, int, int]]) -> None:
    never_entered = boto3.client("dynamodb", region_name="us-east-1")
    heartbeat = Heartbeat(JobRecords(never_entered, "jobs-table", "worker-1"), "j", seconds=60)
    seen = []

    for phase, step, steps in reports:
        heartbeat.report(Progress(phase=phase, step=step, steps=steps))
        seen.append(heartbeat.progress)

    assert [progress.phase for progress in seen] == [phase for phase, _, _ in reports]
    assert [progress.step for progress in seen] == sorted(progress.step for progress in seen)
    assert [progress.steps for progress in seen] == sorted(progress.steps for progress in seen)

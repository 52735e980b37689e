"""How long a job will take and what it costs: before it is sent, while it waits, and once it has finished."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.endpoints.record import EndpointRecord
from lambdas.jobs.run_times import REMEMBERED_SECONDS, STARTED_SECONDS, UNKNOWN_START, Pace
from tests.lambdas.cloud import START, Cloud, txt2img

THOUSANDTHS = st.integers(0, 10**8).map(lambda number: number / 1000)
RUNS = st.lists(st.tuples(THOUSANDTHS, THOUSANDTHS), min_size=1, max_size=10)


def test_jobs_twice_as_large_take_twice_as_long_but_for_what_each_job_takes() -> None:
    pace = Pace(runs=tuple((work, 2.0 + 0.5 * work) for work in (1.0, 4.0, 10.0)))

    small, large = pace.run(10.0), pace.run(100.0)

    assert small is not None
    assert large is not None
    assert [small.expected, large.expected] == pytest.approx([7.0, 52.0])
    assert [small.low, small.high] == pytest.approx([5.6, 8.75])


@pytest.mark.parametrize(
    ("runs", "work", "seconds"),
    [
        (((10.0, 5.0),), 20.0, 10.0),  # one size only: all of it grows
        (((0.0, 3.0), (0.0, 5.0)), 7.0, 4.0),  # tasks without steps
        (((1.0, 9.0), (10.0, 3.0)), 5.0, 6.0),  # the larger was the faster: the mean
        (((1.0, 0.1), (10.0, 9.0)), 20.0, pytest.approx(17.84, abs=0.01)),  # never less than nothing for a small one
    ],
)
def test_runs_that_are_on_no_line_still_give_an_estimate(
    runs: tuple[tuple[float, float], ...], work: float, seconds: object
) -> None:
    found = Pace(runs=runs).run(work)

    assert found is not None
    assert found.expected == seconds


@given(RUNS, THOUSANDTHS)
def test_an_estimate_is_never_negative_and_its_ends_are_in_order(runs: list[tuple[float, float]], work: float) -> None:
    found = Pace(runs=tuple(runs)).run(work)

    assert found is not None
    assert 0 <= found.low <= found.expected <= found.high


def test_without_recent_runs_there_is_no_estimate_but_a_guess_of_the_start() -> None:
    assert Pace().run(1.0) is None
    assert Pace().start() == UNKNOWN_START
    assert Pace(starts=(100.0, 300.0)).start().expected == 200.0


def finished(cloud: Cloud, *, work: str, seconds: float, starting: float = 0.0, endpoint: str = "artists") -> str:
    """A job of so many megapixel-steps that ran so long; its id."""
    job_id = cloud.job(megapixel_steps=Decimal(work), endpoint=endpoint).job_id
    cloud.run(job_id)
    running = cloud.jobs.get(job_id)
    assert running is not None
    assert running.started_at is not None
    ended = cloud.job_transitions.finish(
        running, JobStatus.SUCCEEDED, now=running.started_at + timedelta(seconds=seconds)
    )
    assert ended is not None
    cloud.outcomes.run_times.note(ended, starting=starting)
    cloud.clock.now += timedelta(seconds=1.001)  # of another slot
    return job_id


@pytest.fixture
def busy(cloud: Cloud) -> Cloud:
    """One second for each megapixel-step, and one GPU that runs."""
    cloud.checkpoint()
    cloud.endpoint.instances = 1
    finished(cloud, work="10", seconds=10)
    finished(cloud, work="30", seconds=30)
    cloud.clock.now += timedelta(seconds=REMEMBERED_SECONDS)
    return cloud


def queue_of(cloud: Cloud, job_id: str) -> dict[str, Any]:
    return dict(cloud.ask("GET", f"/v1/jobs/{job_id}").ok()["queue"])


def test_a_waiting_job_counts_the_sizes_of_those_ahead_and_the_steps_the_running_one_has_left(busy: Cloud) -> None:
    running = busy.job(megapixel_steps=Decimal(40), user="bob").job_id
    busy.run(running)
    busy.write(running, progress={"phase": "sampling", "step": 15, "steps": 20, "previews": 0})
    busy.job(megapixel_steps=Decimal(5))
    busy.job(megapixel_steps=Decimal(1000), endpoint="goc-main-calm")
    busy.job(megapixel_steps=Decimal(1000), status=JobStatus.CREATED)
    mine = busy.job(megapixel_steps=Decimal(2)).job_id
    busy.job(megapixel_steps=Decimal(1000))

    queue = queue_of(busy, mine)

    # A quarter of 40, then 5, then its own 2; the endpoint may grow to two GPUs, so at best half of that before it.
    assert queue["ahead"] == 2
    assert queue["eta_seconds"] == pytest.approx(17.0)
    assert queue["eta_low_seconds"] == pytest.approx((15 / 2 + 2) * 0.8)
    assert queue["eta_high_seconds"] == pytest.approx(17 * 1.25)
    assert queue["start_seconds"] == 0.0


def test_a_sleeping_endpoint_adds_the_time_its_last_starts_took(cloud: Cloud) -> None:
    finished(cloud, work="10", seconds=10, starting=STARTED_SECONDS - 1)
    finished(cloud, work="10", seconds=10, starting=100)
    finished(cloud, work="10", seconds=10, starting=200)
    cloud.clock.now += timedelta(seconds=REMEMBERED_SECONDS)

    queue = queue_of(cloud, cloud.job(megapixel_steps=Decimal(10)).job_id)

    assert queue["start_seconds"] == pytest.approx(150)
    assert queue["eta_seconds"] == pytest.approx(160)
    assert queue["eta_low_seconds"] == pytest.approx(100 + 8, abs=0.1)
    assert queue["eta_high_seconds"] == pytest.approx(200 + 12.5, abs=0.1)


def test_beyond_a_hundred_open_jobs_the_rest_is_counted_and_not_read(
    busy: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.jobs.pages.BATCH", 4)
    for number in range(12):
        busy.job(megapixel_steps=Decimal(3), endpoint="goc-main-calm" if number % 2 else "artists")
    mine = busy.job(megapixel_steps=Decimal(1)).job_id
    busy.ask("GET", "/v1/endpoints")
    queue_of(busy, mine)
    busy.counted()

    queue = queue_of(busy, mine)

    assert queue["ahead"] == 6
    assert queue["eta_seconds"] == pytest.approx(6 * 3 + 1)
    assert busy.counted() == 4


def test_a_dry_run_says_how_long_it_would_take_what_it_costs_and_that_no_gpu_must_start(busy: Cloud) -> None:
    busy.job(megapixel_steps=Decimal(4))
    body = {**txt2img(width=1000, height=1000, steps=20), "dry_run": True}

    view = busy.ask("POST", "/v1/jobs", body).ok()

    estimate = view["estimate"]
    assert estimate["megapixel_steps"] == 20.0
    assert (estimate["seconds"], estimate["seconds_low"], estimate["seconds_high"]) == (20.0, 16.0, 25.0)
    # At 1.80 dollars an hour.
    assert (estimate["cost_usd"], estimate["cost_usd_low"], estimate["cost_usd_high"]) == (0.01, 0.008, 0.0125)
    assert (estimate["wakes_gpu"], estimate["start_seconds"]) == (False, 0.0)
    assert (view["queue"]["ahead"], view["queue"]["eta_seconds"]) == (1, 24.0)
    assert busy.rows("jobs") == 4  # three jobs, and the run times


def test_a_dry_run_for_a_sleeping_endpoint_without_history_says_only_what_it_knows(cloud: Cloud) -> None:
    cloud.checkpoint()

    estimate = cloud.ask("POST", "/v1/jobs", {**txt2img(), "dry_run": True}).ok()["estimate"]

    assert (estimate["seconds"], estimate["cost_usd"]) == (None, None)
    assert (estimate["wakes_gpu"], estimate["start_seconds"]) == (True, UNKNOWN_START.expected)


def test_a_finished_job_has_its_cost_in_lists_too_and_one_that_never_ran_has_none(cloud: Cloud) -> None:
    ran, waited = finished(cloud, work="1", seconds=20), cloud.job()
    cloud.job_transitions.finish(waited, JobStatus.CANCELED, now=cloud.clock.now)

    costs = {line["job_id"]: line["cost_usd"] for line in cloud.ask("GET", "/v1/jobs").ok()["jobs"]}

    assert costs == {ran: 0.01, waited.job_id: None}
    assert cloud.ask("GET", f"/v1/jobs/{ran}").ok()["cost_usd"] == 0.01


def test_a_lost_worker_is_paid_until_its_last_heartbeat(cloud: Cloud) -> None:
    job_id = cloud.job().job_id
    cloud.run(job_id)
    running = cloud.jobs.get(job_id)
    assert running is not None
    assert running.started_at is not None
    cloud.write(job_id, heartbeat_at=int(running.started_at.timestamp()) + 20)
    lost = JobError.of(JobErrorCode.WORKER_LOST, "gone")
    cloud.job_transitions.finish(running, JobStatus.FAILED, now=cloud.clock.now + timedelta(hours=1), error=lost)

    assert cloud.ask("GET", f"/v1/jobs/{job_id}").ok()["cost_usd"] == pytest.approx(0.01, rel=0.06)


def test_an_endpoint_of_the_api_has_the_price_of_its_own_gpu(cloud: Cloud) -> None:
    record = EndpointRecord(
        endpoint="goc-main-calm", owner="root", instance_type="ml.g6.xlarge", min_instances=0, max_instances=1,
        idle_minutes=5, backlog_per_instance=1.0, created_at=START,
    )  # fmt: skip
    assert cloud.services.registry.store.add(record)
    known = finished(cloud, work="1", seconds=3600, endpoint="goc-main-calm")
    gone = finished(cloud, work="1", seconds=3600, endpoint="goc-main-gone")

    assert cloud.ask("GET", f"/v1/jobs/{known}").ok()["cost_usd"] == 1.127
    assert cloud.ask("GET", f"/v1/jobs/{gone}").ok()["cost_usd"] is None

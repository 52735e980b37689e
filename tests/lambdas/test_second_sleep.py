"""Endpoints that SageMaker's metrics have not put to sleep are put to sleep by the keeper."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.jobs import JobStatus
from lambdas.endpoints.second_sleep import SecondSleep
from lambdas.functions.endpoint_keeper import ScalingLimits
from tests.lambdas.cloud import START, Cloud, aws_error, txt2img
from tests.lambdas.fleet import NAME, Fleet, Live


def visit(cloud: Cloud, live: Live, now: datetime, *, min_instances: int = 0) -> bool:
    endpoints = cloud.services.endpoints
    found = type(endpoints)(live, endpoints.runtime).describe(live.endpoint)  # type: ignore[arg-type]
    assert found is not None
    sleep = SecondSleep(live, cloud.load)  # type: ignore[arg-type]
    return sleep.visit(found, min_instances=min_instances, idle_minutes=5, now=now) is not None


def ended(cloud: Cloud) -> datetime:
    """A job came and went; when it was settled."""
    cloud.checkpoint()
    job_id = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)["job_id"]
    cloud.run(job_id)
    record = cloud.jobs.get(job_id)
    assert record is not None
    done = cloud.job_transitions.finish(record, JobStatus.SUCCEEDED, now=cloud.clock.now)
    assert done is not None
    return cloud.clock.now


def test_an_endpoint_that_never_had_a_job_sleeps_after_the_idle_minutes_and_a_margin(cloud: Cloud) -> None:
    """As after a first deployment, which starts an instance and may have no metric."""
    live = Live("artists")
    live.created = live.modified = START

    early = visit(cloud, live, START + timedelta(minutes=14, seconds=59))
    late = visit(cloud, live, START + timedelta(minutes=15))

    assert (early, late) == (False, True)
    assert live.wanted == [("artists", "g5-xlarge", 0)]


def test_an_endpoint_sleeps_once_its_last_job_has_ended_long_enough_ago(cloud: Cloud) -> None:
    at, live = ended(cloud), Live("artists")

    early = visit(cloud, live, at + timedelta(minutes=14))
    late = visit(cloud, live, at + timedelta(minutes=16))

    assert (early, late) == (False, True)


def test_an_endpoint_with_an_open_job_is_left_alone_however_old_that_is(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)
    live = Live("artists")

    assert not visit(cloud, live, START + timedelta(days=2))
    assert live.wanted == []


@pytest.mark.parametrize(
    ("status", "instances", "min_instances"),
    [("InService", 0, 0), ("InService", 1, 1), ("Updating", 1, 0), ("Creating", 1, 0), ("Failed", 1, 0)],
)
def test_an_endpoint_that_sleeps_must_stay_awake_or_is_changing_is_left_alone(
    cloud: Cloud, status: str, instances: int, min_instances: int
) -> None:
    live = Live("artists", status=status, instances=instances)

    assert not visit(cloud, live, START + timedelta(days=2), min_instances=min_instances)
    assert live.wanted == []


def test_an_endpoint_that_grew_returns_to_its_least_instances(cloud: Cloud) -> None:
    live = Live("artists", instances=4)

    visit(cloud, live, START + timedelta(days=2), min_instances=2)

    assert live.wanted == [("artists", "g5-xlarge", 2)]


def test_a_refusal_is_left_for_the_next_minute(cloud: Cloud) -> None:
    live = Live("artists")
    live.refusal = aws_error("ValidationException", "it is Updating", "UpdateEndpointWeightsAndCapacities")

    assert visit(cloud, live, START + timedelta(days=2))
    assert live.wanted == []


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[Fleet]:
    found = Fleet(cloud)
    yield found
    found.remove()


@pytest.mark.parametrize(
    ("idle", "sleepless"),
    [(None, []), (timedelta(minutes=59), []), (timedelta(hours=1), [NAME])],
)
def test_the_keeper_looks_after_all_endpoints_and_names_those_of_the_api_that_do_not_sleep(
    fleet: Fleet, idle: timedelta | None, sleepless: list[str]
) -> None:
    seen: list[tuple[str, int, int]] = []

    class Noting(SecondSleep):
        def visit(self, live: Any, *, min_instances: int, idle_minutes: int, now: datetime) -> timedelta | None:
            assert now >= START
            seen.append((live.name, min_instances, idle_minutes))
            return idle

    fleet.ready()
    object.__setattr__(fleet.keeper, "sleep", Noting(fleet.keeper.sagemaker, fleet.cloud.load))
    object.__setattr__(fleet.keeper, "default", ScalingLimits("artists", min_instances=1, idle_minutes=9))

    found = fleet.keeper.keep_all()

    assert found == sleepless
    assert sorted(seen) == [("artists", 1, 9), (NAME, 0, 7)]

"""When an endpoint will sleep, and putting it to sleep at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.endpoints import EndpointStatus
from generate_on_cloud.contract.jobs import JobStatus
from tests.lambdas.fleet import NAME, Fleet, Live


@pytest.fixture
def awake(fleet: Fleet) -> Fleet:
    """The endpoint made through the API has an instance."""
    fleet.ready()
    seen = fleet.store.get(NAME)
    assert seen is not None
    fleet.store.observe(seen, status=EndpointStatus.IN_SERVICE, reason=None, instance_count=1)
    return fleet


def sleeps_at(fleet: Fleet) -> dict[str, Any]:
    listed = fleet.cloud.ask("GET", "/v1/endpoints").ok()["endpoints"]
    return {each["name"]: each["sleeps_at"] for each in listed}


def test_an_awake_endpoint_without_a_job_says_when_it_will_sleep(awake: Fleet) -> None:
    made = awake.store.get(NAME)
    assert made is not None
    before = datetime.fromisoformat(sleeps_at(awake)[NAME])
    job = awake.cloud.job(endpoint=NAME)
    during = sleeps_at(awake)[NAME]
    end = awake.cloud.clock.now + timedelta(minutes=30)
    awake.services.job_transitions.finish(job, JobStatus.CANCELED, now=end)

    assert before - made.created_at == timedelta(minutes=7)
    assert during is None
    assert datetime.fromisoformat(sleeps_at(awake)[NAME]) - end == timedelta(minutes=7)


def test_an_endpoint_at_its_minimum_of_instances_never_sleeps(awake: Fleet) -> None:
    awake.cloud.ask("PATCH", f"/v1/endpoints/{NAME}", {"min_instances": 1}, user="root").ok()

    assert sleeps_at(awake)[NAME] is None


@pytest.mark.parametrize("name", [NAME, "artists"])
def test_an_idle_endpoint_is_put_to_sleep_at_once(awake: Fleet, name: str) -> None:
    view = awake.cloud.ask("POST", f"/v1/endpoints/{name}/sleep", user="root").ok(202)

    assert view["name"] == name
    assert awake.cloud.functions.called[-1][1] == {"endpoint": name, "sleep": True}


@pytest.mark.parametrize(
    ("name", "jobs", "wanted"),
    [(NAME, 0, [(NAME, "g5-xlarge", 0)]), (NAME, 1, []), ("artists", 0, [("artists", "g5-xlarge", 0)])],
    ids=["idle", "with a job", "the template's"],
)
def test_the_keeper_puts_it_to_sleep_unless_a_job_has_come(
    awake: Fleet, name: str, jobs: int, wanted: list[tuple[str, str, int]]
) -> None:
    for _ in range(jobs):
        awake.cloud.job(endpoint=name)
    live: Any = Live(name)
    keeper = awake.keeper_with(live)

    keeper.put_to_sleep(name)

    assert live.wanted == wanted


def test_an_endpoint_with_a_job_is_not_put_to_sleep(awake: Fleet) -> None:
    awake.cloud.job(endpoint=NAME)
    before = len(awake.cloud.functions.called)

    problem = awake.cloud.ask("POST", f"/v1/endpoints/{NAME}/sleep", user="root").problem(409, "endpoint_in_use")

    assert "1 open jobs" in problem["detail"]
    assert len(awake.cloud.functions.called) == before


def test_an_endpoint_that_is_being_made_is_not_put_to_sleep(fleet: Fleet) -> None:
    fleet.create()
    fleet.sagemaker.statuses[NAME] = "Creating"

    problem = fleet.cloud.ask("POST", f"/v1/endpoints/{NAME}/sleep", user="root")

    assert "is Creating; allowed: InService, ScaledToZero" in problem.problem(503, "endpoint_not_in_service")["detail"]


def test_who_may_not_change_an_endpoint_does_not_put_it_to_sleep(awake: Fleet) -> None:
    role = {"name": "maker", "permissions": ["endpoint:create", "endpoint:list"]}
    awake.cloud.ask("POST", "/v1/roles", role, user="root").ok(201)
    awake.cloud.ask("PATCH", "/v1/users/alice", {"role": "maker"}, user="root").ok()
    awake.cloud.clock.now += timedelta(minutes=2)

    for name in (NAME, "artists"):
        awake.cloud.ask("POST", f"/v1/endpoints/{name}/sleep", user="alice").problem(403, "forbidden")
    awake.cloud.ask("POST", "/v1/endpoints/nosuch/sleep", user="root").problem(404, "not_found")

"""Which endpoint a job goes to: the named one, the caller's default, or the least loaded one they may use."""

from collections import Counter

import pytest

from generate_on_cloud.contract.jobs import JobStatus
from lambdas.endpoints.choice import REMEMBERED_SECONDS
from tests.lambdas.cloud import Cloud, txt2img
from tests.lambdas.fleet import NAME, Fleet

TEMPLATE = "artists"


def send(fleet: Fleet, *, user: str = "alice", **more: object) -> str:
    """Where a job of the user went."""
    fleet.cloud.checkpoint() if not fleet.cloud.all_assets() else None
    endpoint: str = fleet.cloud.ask("POST", "/v1/jobs", {**txt2img(), **more}, user=user).ok(201)["endpoint"]
    return endpoint


def look_again(fleet: Fleet) -> None:
    """Let what the API remembers of endpoints grow old."""
    fleet.cloud.clock.sleep(REMEMBERED_SECONDS + 1)


def test_jobs_without_an_endpoint_are_spread_by_the_gpus_each_may_grow_to(fleet: Fleet) -> None:
    fleet.ready()

    went = Counter(send(fleet) for _ in range(10))

    # Two GPUs of the template's endpoint, three of the other.
    assert went == {TEMPLATE: 4, NAME: 6}


def test_a_job_goes_to_the_endpoint_with_less_to_do(fleet: Fleet) -> None:
    fleet.ready()
    for _ in range(4):
        fleet.cloud.job(endpoint=NAME)

    assert send(fleet) == TEMPLATE


@pytest.mark.parametrize("end", ["finished", "canceled", "deleted"])
def test_a_job_that_is_over_is_no_load_any_more(fleet: Fleet, end: str) -> None:
    fleet.ready()
    jobs = [fleet.cloud.job(endpoint=NAME).job_id for _ in range(4)]

    for job_id in jobs:
        if end == "finished":
            job = fleet.cloud.jobs.get(job_id)
            assert job is not None
            assert fleet.cloud.job_transitions.finish(job, JobStatus.SUCCEEDED, now=fleet.cloud.clock.now)
        else:
            fleet.cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()
        if end == "deleted":
            assert fleet.cloud.ask("DELETE", f"/v1/jobs/{job_id}").status == 204

    assert fleet.cloud.load.of([NAME])[NAME] == 0


def test_an_endpoint_of_others_gets_no_job_however_idle_it_is(fleet: Fleet) -> None:
    fleet.create(users=["bob"])
    fleet.keeper.keep(NAME)
    for _ in range(6):
        fleet.cloud.job(endpoint=TEMPLATE)

    assert (send(fleet, user="alice"), send(fleet, user="bob")) == (TEMPLATE, NAME)


@pytest.mark.parametrize("status", ["Creating", "Failed"])
def test_an_endpoint_that_is_not_in_service_gets_no_job(fleet: Fleet, status: str) -> None:
    fleet.create()
    fleet.sagemaker.statuses[NAME] = status
    fleet.keeper.keep(NAME)
    for _ in range(6):
        fleet.cloud.job(endpoint=TEMPLATE)

    assert send(fleet) == TEMPLATE


def test_while_the_templates_endpoint_is_away_the_others_get_the_jobs(fleet: Fleet) -> None:
    fleet.ready()
    for _ in range(6):
        fleet.cloud.job(endpoint=NAME)
    fleet.cloud.endpoint.statuses[TEMPLATE] = "Failed"

    assert send(fleet) == NAME


def test_with_no_other_endpoint_the_state_of_the_templates_is_told(fleet: Fleet) -> None:
    fleet.cloud.checkpoint()
    fleet.cloud.endpoint.statuses[TEMPLATE] = "Failed"
    fleet.cloud.endpoint.failure_reason = "no capacity"

    problem = fleet.cloud.ask("POST", "/v1/jobs", txt2img() | {"dry_run": True}).problem(503, "endpoint_not_in_service")

    assert "no capacity" in problem["detail"]


def test_when_none_is_in_service_it_is_told_what_each_is_doing(fleet: Fleet) -> None:
    fleet.cloud.checkpoint()
    fleet.create()
    fleet.cloud.endpoint.statuses[TEMPLATE] = "Failed"
    fleet.cloud.endpoint.failure_reason = "no capacity"

    problem = fleet.cloud.ask("POST", "/v1/jobs", txt2img()).problem(503, "endpoint_not_in_service")

    assert f"{TEMPLATE} is Failed (no capacity); {NAME} is Creating" in problem["detail"]
    assert fleet.cloud.rows() == 0


def test_one_that_is_in_service_again_gets_the_next_job_though_none_was_a_moment_ago(fleet: Fleet) -> None:
    fleet.cloud.checkpoint()
    fleet.create()
    fleet.cloud.endpoint.statuses[TEMPLATE] = "Creating"
    fleet.cloud.ask("POST", "/v1/jobs", txt2img()).problem(503, "endpoint_not_in_service")

    fleet.cloud.endpoint.statuses[TEMPLATE] = "InService"

    assert send(fleet) == TEMPLATE


@pytest.mark.parametrize("status", ["Creating", "Failed"])
def test_a_default_that_does_not_take_jobs_is_told_with_its_state(fleet: Fleet, status: str) -> None:
    fleet.create()
    fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": "fast"}).ok()
    fleet.cloud.checkpoint()
    fleet.cloud.endpoint.statuses[NAME] = status

    problem = fleet.cloud.ask("POST", "/v1/jobs", txt2img()).problem(503, "endpoint_not_in_service")

    assert f"{NAME} is {status}" in problem["detail"]


@pytest.mark.parametrize(("instances", "taken"), [(0, NAME), (1, TEMPLATE)])
def test_of_equal_loads_one_that_is_awake_is_taken_first_then_the_templates(
    fleet: Fleet, instances: int, taken: str
) -> None:
    fleet.ready()
    fleet.cloud.endpoint.instances = instances

    assert send(fleet) == taken


def test_of_equal_loads_one_that_has_the_checkpoint_warm_is_taken_before_the_templates(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.endpoint.instances = 1
    for name in ("dream.safetensors", "other.safetensors"):
        fleet.cloud.checkpoint(name)

    def drawn(**more: object) -> str:
        job = fleet.cloud.ask("POST", "/v1/jobs", {**txt2img(), **more}).ok(201)
        fleet.cloud.ask("POST", f"/v1/jobs/{job['job_id']}/cancel").ok()
        endpoint: str = job["endpoint"]
        return endpoint

    drawn(endpoint=NAME, checkpoint="other")

    assert drawn(checkpoint="dream") == TEMPLATE
    assert drawn(checkpoint="other.safetensors") == NAME


def test_the_callers_default_is_taken_whatever_its_load(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": "fast"}).ok()
    for _ in range(6):
        fleet.cloud.job(endpoint=NAME)

    assert fleet.cloud.ask("GET", "/v1/me").ok()["default_endpoint"] == NAME
    assert send(fleet) == NAME
    assert send(fleet, endpoint=TEMPLATE) == TEMPLATE
    assert send(fleet, user="bob") == TEMPLATE


def test_a_default_taken_back_leaves_the_choice_to_the_load(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": "fast"}).ok()
    for _ in range(6):
        fleet.cloud.job(endpoint=NAME)

    fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": None}).ok()

    assert fleet.cloud.ask("GET", "/v1/me").ok()["default_endpoint"] is None
    assert send(fleet) == TEMPLATE


def test_a_default_the_user_may_not_use_is_refused_with_those_they_may(fleet: Fleet) -> None:
    fleet.create(users=["bob"])
    wanted = {"default_endpoint": "fast"}

    own = fleet.cloud.ask("PATCH", "/v1/me", wanted).problem(422, "invalid_params")
    by_admin = fleet.cloud.ask("PUT", "/v1/users/alice", {"role": "artist", **wanted}, user="root")
    unknown = fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": "slow"}).problem(422, "invalid_params")

    assert own["errors"] == [{"pointer": "/default_endpoint", "message": "received 'fast'; allowed: artists"}]
    assert by_admin.problem(422, "invalid_params")["errors"] == own["errors"]
    assert unknown["errors"][0]["message"] == "received 'slow'; allowed: artists"
    assert fleet.cloud.ask("GET", "/v1/me").ok()["default_endpoint"] is None


def test_a_default_set_by_an_admin_stays_until_it_is_named_again(fleet: Fleet) -> None:
    fleet.ready()
    user = {"role": "artist", "default_endpoint": "fast"}
    fleet.cloud.ask("PUT", "/v1/users/alice", user, user="root").ok()

    fleet.cloud.ask("PUT", "/v1/users/alice", {"role": "artist", "quotas": {"jobs_per_day": 5}}, user="root").ok()
    kept = fleet.cloud.ask("GET", "/v1/users/alice", user="root").ok()["default_endpoint"]
    fleet.cloud.ask("PUT", "/v1/users/alice", {**user, "default_endpoint": None}, user="root").ok()

    assert kept == NAME
    assert fleet.cloud.ask("GET", "/v1/users/alice", user="root").ok()["default_endpoint"] is None


def test_a_default_that_is_gone_is_told_and_not_replaced_in_silence(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": "fast"}).ok()
    fleet.cloud.checkpoint()
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").ok(202)
    look_again(fleet)

    going = fleet.cloud.ask("POST", "/v1/jobs", txt2img()).problem(503, "endpoint_not_in_service")
    fleet.store.forget(NAME)
    look_again(fleet)
    gone = fleet.cloud.ask("POST", "/v1/jobs", txt2img()).problem(422, "invalid_params")

    assert "being deleted" in going["detail"]
    assert gone["errors"][0]["pointer"] == "/endpoint"
    assert NAME in gone["errors"][0]["message"]
    assert "allowed: artists" in gone["errors"][0]["message"]


def test_an_endpoint_deleted_a_moment_ago_is_not_taken_though_it_is_remembered(fleet: Fleet) -> None:
    fleet.ready()
    for _ in range(6):
        fleet.cloud.job(endpoint=TEMPLATE)
    assert send(fleet) == NAME
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root", query={"force": "true"}).ok(202)

    assert send(fleet) == TEMPLATE


@pytest.mark.parametrize("how", [{}, {"params": None}, {"dry_run": True}], ids=["sent", "opened", "rehearsed"])
def test_an_endpoint_gone_a_moment_ago_is_not_taken_whichever_way_a_job_is_made(
    fleet: Fleet, how: dict[str, object]
) -> None:
    fleet.ready()
    for _ in range(6):
        fleet.cloud.job(endpoint=TEMPLATE)
    assert send(fleet) == NAME
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root", query={"force": "true"}).ok(202)
    fleet.cloud.endpoint.statuses[NAME] = "Deleting"

    made = fleet.cloud.ask("POST", "/v1/jobs", {**txt2img(), **how})

    assert (made.status in (200, 201), made.json.get("endpoint")) == (True, TEMPLATE), made.text


def test_a_job_is_retried_where_it_was_or_where_a_new_one_would_go(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.checkpoint()
    body = {**txt2img(), "endpoint": "fast"}
    old = fleet.cloud.ask("POST", "/v1/jobs", body).ok(201)["job_id"]
    fleet.cloud.ask("POST", f"/v1/jobs/{old}/cancel").ok()

    first = fleet.cloud.ask("POST", f"/v1/jobs/{old}/retry").ok(201)
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root", query={"force": "true"}).ok(202)
    second = fleet.cloud.ask("POST", f"/v1/jobs/{old}/retry").ok(201)

    assert (first["endpoint"], second["endpoint"]) == (NAME, TEMPLATE)


def test_a_choice_among_several_takes_no_call_more_than_a_named_one(fleet: Fleet) -> None:
    fleet.ready()
    send(fleet)
    calls = []
    for more in ({"endpoint": TEMPLATE}, {}):
        send(fleet, **more)
        fleet.cloud.counted()
        send(fleet, **more)
        calls.append(fleet.cloud.counted())

    assert calls[0] == calls[1]


def test_a_job_refused_by_the_quota_is_no_load(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.ask("PUT", "/v1/users/alice", {"role": "artist", "quotas": {"concurrent_jobs": 1}}, user="root").ok()
    cloud.clock.sleep(61)
    cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)

    cloud.ask("POST", "/v1/jobs", txt2img()).problem(429, "quota_exceeded")

    assert cloud.load.of([TEMPLATE])[TEMPLATE] == 1

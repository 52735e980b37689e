"""Quotas bound what comes in, at once or not at all; what ends is counted exactly once, whatever dies in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

import lambdas.api.usage
from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams
from lambdas.aws.rows import timestamp, to_item
from lambdas.endpoints.record import EndpointRecord
from lambdas.jobs.params import megapixel_steps
from tests.lambdas.cloud import START, Cloud, aws_error, before_call, completed, txt2img
from tests.lambdas.limited_users import DAY, NEXT_DAY, counted, finish, limit, send


def open_jobs(cloud: Cloud) -> int:
    return int(counted(cloud, "load#alice").get("open_jobs", 0))


@contextmanager
def failing(cloud: Cloud, operation: str) -> Iterator[None]:
    def fail() -> None:
        raise aws_error("InternalServerError")

    with before_call(cloud.dynamodb, f"dynamodb.{operation}", fail):
        yield


def test_the_jobs_of_a_day_end_at_the_quota_and_begin_anew_at_midnight(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=2)
    for _ in range(2):
        send(cloud).ok(201)
    rows, objects = cloud.rows(), cloud.keys()

    reply = send(cloud)

    assert "2 jobs" in reply.problem(429, "quota_exceeded")["detail"]
    assert "2026-11-23T00:00:00+00:00" in reply.json["detail"]
    assert timedelta(hours=11, minutes=58) < timedelta(seconds=int(reply.headers["Retry-After"])) < timedelta(hours=12)
    assert cloud.rows() == rows
    assert cloud.keys() == objects
    cloud.clock.now += timedelta(hours=12)
    send(cloud).ok(201)


def test_jobs_at_a_time_end_at_the_quota_and_every_end_frees_a_place(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, concurrent_jobs=1)
    for end in ("cancel", "succeed", "fail", "expire"):
        job_id = send(cloud).ok(201)["job_id"]
        refused = send(cloud)
        assert "1 of 1 jobs are open" in refused.problem(429, "quota_exceeded")["detail"]
        assert refused.headers["Retry-After"] == "30"
        if end == "cancel":
            cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()
        elif end == "succeed":
            cloud.events.handle(completed(job_id, cloud.put_result(job_id)))
            cloud.events.handle(completed(job_id, cloud.put_result(job_id)))
        else:
            finish(cloud, job_id, JobStatus.FAILED if end == "fail" else JobStatus.EXPIRED)
        assert open_jobs(cloud) == 0


def test_megapixel_steps_are_summed_over_the_day(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=6)

    send(cloud).ok(201)
    send(cloud).ok(201)
    reply = send(cloud)

    assert "2.621" in reply.problem(429, "quota_exceeded")["detail"]
    assert float(counted(cloud, f"usage#alice#{DAY}")["megapixel_steps"]) == pytest.approx(5.242)
    big = cloud.ask("POST", "/v1/jobs", txt2img(width=2048, height=2048, steps=100))
    assert "Retry-After" not in big.headers
    big.problem(429, "quota_exceeded")


@pytest.mark.parametrize("hours", [0, 13])
def test_a_job_canceled_while_queued_gives_its_megapixel_steps_back_once(cloud: Cloud, hours: int) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=3)
    job_id = send(cloud).ok(201)["job_id"]
    send(cloud).problem(429, "quota_exceeded")
    cloud.clock.now += timedelta(hours=hours)

    for _ in range(2):
        cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()

    usage = counted(cloud, f"usage#alice#{DAY}")
    assert (usage["jobs_sent"], usage["megapixel_steps"], open_jobs(cloud)) == (1, 0, 0)
    send(cloud).ok(201)


def test_a_job_a_worker_had_keeps_its_megapixel_steps_when_it_is_canceled(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=3)
    job_id = send(cloud).ok(201)["job_id"]
    cloud.run(job_id)

    finish(cloud, job_id, JobStatus.CANCELED)

    assert float(counted(cloud, f"usage#alice#{DAY}")["megapixel_steps"]) == pytest.approx(2.621)


def test_a_params_document_that_follows_counts_when_it_is_started(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=6, jobs_per_day=5)
    body = b'{"prompt": "a", "width": 1024, "height": 1024, "steps": 5}'
    ids = [cloud.ask("POST", "/v1/jobs", {**txt2img(), "params": None}).ok(201)["job_id"] for _ in range(2)]
    for job_id in ids:
        cloud.put(f"jobs/{job_id}/params.json", body)

    cloud.ask("POST", f"/v1/jobs/{ids[0]}/start").ok()
    cloud.ask("POST", f"/v1/jobs/{ids[1]}/start").problem(429, "quota_exceeded")

    assert cloud.status(ids[1]) == "created"
    assert float(counted(cloud, f"usage#alice#{DAY}")["megapixel_steps"]) == pytest.approx(5.243)


def opened(cloud: Cloud) -> str:
    """A `created` job whose params, of 5.243 megapixel-steps, are there."""
    job_id = str(cloud.ask("POST", "/v1/jobs", {**txt2img(), "params": None}).ok(201)["job_id"])
    cloud.put(f"jobs/{job_id}/params.json", b'{"prompt": "a", "width": 1024, "height": 1024, "steps": 5}')
    return job_id


def steps(cloud: Cloud, day: str = DAY) -> float:
    return float(counted(cloud, f"usage#alice#{day}").get("megapixel_steps", 0))


def test_a_started_job_canceled_before_a_worker_had_it_gives_its_megapixel_steps_back(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=6)
    job_id = opened(cloud)
    cloud.ask("POST", f"/v1/jobs/{job_id}/start").ok()

    cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()

    assert (steps(cloud), open_jobs(cloud)) == (0, 0)


@pytest.mark.parametrize(("hours", "days"), [(0, {DAY: 5.243}), (24, {DAY: 0, NEXT_DAY: 5.243})])
def test_a_start_that_dies_before_the_job_is_queued_counts_once_when_it_is_repeated(
    cloud: Cloud, hours: int, days: dict[str, float]
) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=6)
    job_id = opened(cloud)
    with failing(cloud, "UpdateItem"):
        assert cloud.ask("POST", f"/v1/jobs/{job_id}/start").status == 500
    assert cloud.status(job_id) == "created"

    cloud.clock.now += timedelta(hours=hours)
    cloud.ask("POST", f"/v1/jobs/{job_id}/start").ok()

    assert {day: pytest.approx(steps(cloud, day)) for day in days} == days


def test_a_start_the_endpoint_did_not_take_counts_no_megapixel_steps(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=6)
    job_id = opened(cloud)
    cloud.endpoint.invoke_error = aws_error("ServiceUnavailable")
    assert cloud.ask("POST", f"/v1/jobs/{job_id}/start").status >= 500
    assert (cloud.status(job_id), steps(cloud)) == ("created", 0)
    cloud.endpoint.invoke_error = None

    cloud.ask("POST", f"/v1/jobs/{job_id}/start").ok()

    assert steps(cloud) == pytest.approx(5.243)


def test_of_two_starts_at_once_one_is_counted(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_day=6)
    job_id = opened(cloud)
    between: list[Any] = []

    def overtake() -> None:
        if not between:
            between.append(cloud.ask("POST", f"/v1/jobs/{job_id}/start"))

    with before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", overtake):
        cloud.ask("POST", f"/v1/jobs/{job_id}/start").problem(409, "job_state_conflict")

    between[0].ok()
    assert steps(cloud) == pytest.approx(5.243)


def test_a_job_the_endpoint_did_not_take_counts_nothing(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5, concurrent_jobs=5, megapixel_steps_per_day=100)
    cloud.endpoint.invoke_error = aws_error("ServiceUnavailable")

    assert send(cloud).status >= 500

    usage = counted(cloud, f"usage#alice#{DAY}")
    assert (usage["jobs_sent"], usage["megapixel_steps"], open_jobs(cloud)) == (0, 0, 0)
    assert cloud.rows() == 0


def test_the_last_place_goes_to_one_of_two_requests(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=1)
    between: list[Any] = []

    def overtake() -> None:
        if not between:
            between.append(send(cloud))

    with before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", overtake):
        send(cloud).problem(429, "quota_exceeded")

    between[0].ok(201)
    assert cloud.rows() == 1
    assert counted(cloud, f"usage#alice#{DAY}")["jobs_sent"] == 1


def test_without_quotas_no_row_of_the_user_is_written_and_no_call_is_added(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.ask("GET", "/v1/me").ok()
    cloud.counted()

    send(cloud).ok(201)

    # The one write that makes the job counts it for its endpoint too.
    assert (cloud.calls["TransactWriteItems"], cloud.calls["PutItem"]) == (1, 0)
    assert counted(cloud, "load#alice") == {}


def test_a_quota_of_the_role_holds_where_the_users_own_says_nothing(cloud: Cloud) -> None:
    role = {"name": "guest", "permissions": ["inference:create", "asset:list"], "quotas": {"jobs_per_day": 1}}
    cloud.ask("POST", "/v1/roles", role, user="root").ok(201)
    cloud.checkpoint()
    quotas = {"concurrent_jobs": 7}
    cloud.ask("PUT", "/v1/users/alice", {"role": "guest", "quotas": quotas}, user="root").ok()

    assert cloud.ask("GET", "/v1/me").ok()["quotas"] == Quotas(jobs_per_day=1, concurrent_jobs=7).model_dump()
    send(cloud).ok(201)
    send(cloud).problem(429, "quota_exceeded")


def test_an_end_that_was_not_settled_is_settled_once_by_the_sweeper(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, concurrent_jobs=1)
    job_id = send(cloud).ok(201)["job_id"]
    with failing(cloud, "TransactWriteItems"):
        finish(cloud, job_id)
    assert (cloud.status(job_id), open_jobs(cloud)) == ("succeeded", 1)

    for _ in range(3):
        cloud.sweeper.sweep(cloud.clock.now)

    assert open_jobs(cloud) == 0
    assert counted(cloud, f"usage#alice#{DAY}")["succeeded"] == 1
    assert "open" not in cloud.row(job_id)


def test_an_end_that_two_see_unsettled_is_counted_once(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, concurrent_jobs=2)
    job_id, _ = (send(cloud).ok(201)["job_id"] for _ in range(2))
    with failing(cloud, "TransactWriteItems"):
        finish(cloud, job_id)
    seen = cloud.jobs.get(job_id)
    assert seen is not None

    settled = [cloud.job_transitions.settle(seen) for _ in range(2)]

    assert settled == [True, False]
    assert open_jobs(cloud) == 1
    assert counted(cloud, f"usage#alice#{DAY}")["succeeded"] == 1


def test_a_job_deleted_before_it_was_settled_is_counted_all_the_same(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, concurrent_jobs=1)
    job_id = send(cloud).ok(201)["job_id"]
    with failing(cloud, "TransactWriteItems"):
        finish(cloud, job_id)

    assert cloud.ask("DELETE", f"/v1/jobs/{job_id}").status == 204

    assert open_jobs(cloud) == 0
    assert counted(cloud, f"usage#alice#{DAY}")["succeeded"] == 1


def test_usage_tells_jobs_gpu_seconds_and_cost_by_day(cloud: Cloud) -> None:
    for user in ("alice", "bob"):
        job = cloud.job(user=user)
        cloud.run(job.job_id)
        cloud.clock.now += timedelta(seconds=20)
        finish(cloud, job.job_id)
    canceled = cloud.job()
    cloud.ask("POST", f"/v1/jobs/{canceled.job_id}/cancel").ok()

    (mine,) = cloud.ask("GET", "/v1/usage").ok()["days"]

    assert mine == mine | {"user": "alice", "day": DAY, "jobs": 2, "succeeded": 1, "canceled": 1, "failed": 0}
    assert mine["gpu_seconds"] == pytest.approx(20, abs=0.5)
    assert mine["cost"] == pytest.approx(mine["gpu_seconds"] / 3600 * 1.8, abs=1e-6)
    first = cloud.ask("GET", "/v1/usage", user="root", query={"everyone": "true", "limit": "1"}).ok()
    query = {"everyone": "true", "limit": "1", "cursor": first["next_cursor"]}
    second = cloud.ask("GET", "/v1/usage", user="root", query=query).ok()
    assert [day["user"] for day in (*first["days"], *second["days"])] == ["alice", "bob"]
    assert second["next_cursor"] is None
    assert cloud.ask("GET", "/v1/usage", query={"month": "2026-10"}).ok()["days"] == []


def ran(cloud: Cloud, seconds: int, **fields: Any) -> None:
    job = cloud.job(**fields)
    cloud.run(job.job_id)
    cloud.write(job.job_id, started_at=timestamp(cloud.clock.now))
    cloud.clock.now += timedelta(seconds=seconds)
    finish(cloud, job.job_id)


def grouped(cloud: Cloud, by: str, user: str = "root", **query: str) -> dict[str, tuple[int, int, float | None]]:
    """Jobs, whole GPU seconds and cents of each group, in the answer's order."""
    page = cloud.ask("GET", "/v1/usage", user=user, query={"by": by, **query}).ok()
    assert page["days"] == []
    return {
        group["key"]: (group["jobs"], round(group["gpu_seconds"]), group["cost"] and round(100 * group["cost"], 1))
        for group in page["groups"]
    }


def test_usage_is_summed_by_model_endpoint_user_and_day_at_the_price_of_each_endpoint(cloud: Cloud) -> None:
    cloud.services.registry.store.add(
        EndpointRecord(
            endpoint="goc-main-calm", owner="root", instance_type="ml.g6.xlarge", min_instances=0, max_instances=1,
            idle_minutes=5, backlog_per_instance=1.0, created_at=START,
        )
    )  # fmt: skip
    ran(cloud, 200, checkpoint="dream.safetensors")
    ran(cloud, 100, checkpoint="dream.safetensors", endpoint="goc-main-calm")
    ran(cloud, 300, checkpoint="real#2.ckpt", user="bob")
    ran(cloud, 10, task=Task.INTERROGATE_CLIP, endpoint="goc-main-gone")
    waited = cloud.job(checkpoint="dream.safetensors")
    cloud.ask("POST", f"/v1/jobs/{waited.job_id}/cancel").ok()

    # 1.80 dollars an hour at the template's endpoint, 1.127 at the other, unknown at the one that is gone.
    assert grouped(cloud, "model", everyone="true") == {
        "real#2.ckpt": (1, 300, 15.0), "dream.safetensors": (3, 300, 13.1), "": (1, 10, None)
    }  # fmt: skip
    assert list(grouped(cloud, "model", everyone="true")) == ["real#2.ckpt", "dream.safetensors", ""]
    assert grouped(cloud, "endpoint", everyone="true") == {
        "artists": (3, 500, 25.0), "goc-main-calm": (1, 100, 3.1), "goc-main-gone": (1, 10, None)
    }  # fmt: skip
    assert grouped(cloud, "user", everyone="true") == {"bob": (1, 300, 15.0), "alice": (4, 310, 13.1)}
    assert grouped(cloud, "day", everyone="true") == {DAY: (5, 610, 28.1)}
    assert grouped(cloud, "endpoint", user="bob") == {"artists": (1, 300, 15.0)}
    (mine,) = cloud.ask("GET", "/v1/usage").ok()["days"]
    assert mine["cost"] == pytest.approx(0.131, abs=0.001)


def test_days_that_an_older_release_counted_are_in_the_groups_without_their_model(cloud: Cloud) -> None:
    ran(cloud, 100, checkpoint="dream.safetensors")
    row = counted(cloud, f"usage#alice#{DAY}")
    plain = {name: value for name, value in row.items() if not name.startswith(("jobs#", "seconds#"))}
    cloud.dynamodb.put_item(TableName="access", Item=to_item(plain))

    assert grouped(cloud, "model", user="alice") == {"": (1, 100, 5.0)}


def test_groups_of_everyone_add_up_many_pages_and_say_when_there_are_more(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("alice", "bob", "root"):
        ran(cloud, 100, user=user, checkpoint="dream.safetensors")
    query = {"everyone": "true", "by": "model", "limit": "1"}

    whole = cloud.ask("GET", "/v1/usage", user="root", query=query).ok()
    monkeypatch.setattr(lambdas.api.usage, "PAGES_OF_GROUPS", 2)
    first = cloud.ask("GET", "/v1/usage", user="root", query=query).ok()
    rest = cloud.ask("GET", "/v1/usage", user="root", query={**query, "cursor": first["next_cursor"]}).ok()

    jobs = [page["groups"][0]["jobs"] for page in (whole, first, rest)]
    assert (jobs, whole["next_cursor"], rest["next_cursor"]) == ([3, 2, 1], None, None)


def test_the_usage_of_others_needs_a_permission(cloud: Cloud) -> None:
    for query in ({"everyone": "true"}, {"user": "bob"}):
        cloud.ask("GET", "/v1/usage", query=query).problem(403, "forbidden")
    cloud.ask("GET", "/v1/usage", user="root", query={"user": "nobody"}).problem(404, "not_found")
    cloud.ask("GET", "/v1/usage", user="root", query={"user": "bob"}).ok()


@pytest.mark.parametrize(
    "query", [{"month": "2026-13"}, {"month": "x"}, {"limit": "0"}, {"everyone": "1", "user": "a"}]
)
def test_an_absurd_query_for_usage_is_refused(cloud: Cloud, query: dict[str, str]) -> None:
    cloud.ask("GET", "/v1/usage", user="root", query=query).problem(422, "invalid_params")


def test_megapixel_steps_count_both_passes_and_every_picture() -> None:
    plain = Img2ImgParams(init_images=["x"], width=1000, height=1000, steps=20, batch_size=2, n_iter=3)
    hires = Txt2ImgParams(
        width=1000, height=1000, steps=20, enable_hr=True, denoising_strength=0.5, hr_scale=2, hr_second_pass_steps=10
    )

    assert megapixel_steps(plain) == 120
    assert megapixel_steps(hires) == 20 + 40

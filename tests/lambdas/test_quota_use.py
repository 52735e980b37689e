"""What is left of a quota is known before it is hit, and a refusal names the quota that is hit and no other."""

import json
from typing import Any

import pytest

from lambdas.access.caller import AccessStore
from lambdas.api.handler import problem_response
from lambdas.problems import ProblemError
from tests.lambdas.cloud import KEYS, Cloud, txt2img
from tests.lambdas.limited_users import STEPS, finish, limit, send, use_of
from tests.lambdas.request_costs import POST_JOB


def test_me_shows_what_is_used_and_left_of_every_quota(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5, concurrent_jobs=3, megapixel_steps_per_day=10, asset_bytes=1000)
    sent = [send(cloud).ok(201)["job_id"] for _ in range(2)]
    finish(cloud, sent[0])

    use = use_of(cloud)

    midnight = "2026-11-23T00:00:00Z"
    assert use["jobs_per_day"] == {
        "quota": "jobs_per_day", "limit": 5, "used": 2.0, "left": 3.0, "resets_at": midnight
    }  # fmt: skip
    assert (use["concurrent_jobs"]["used"], use["concurrent_jobs"]["left"]) == (1.0, 2.0)
    assert use["concurrent_jobs"]["resets_at"] is None
    assert use["megapixel_steps_per_day"]["used"] == pytest.approx(2 * STEPS)
    assert use["megapixel_steps_per_day"]["left"] == pytest.approx(10 - 2 * STEPS)
    assert (use["asset_bytes"]["used"], use["asset_bytes"]["left"]) == (0.0, 1000.0)


def test_without_quotas_there_is_nothing_to_show(cloud: Cloud) -> None:
    cloud.checkpoint()

    reply = send(cloud)

    assert use_of(cloud) == {}
    assert not {"RateLimit", "RateLimit-Policy"} & reply.headers.keys()


def test_a_lowered_quota_has_nothing_left_and_never_less(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5)
    for _ in range(3):
        send(cloud).ok(201)
    limit(cloud, jobs_per_day=1)

    assert (use_of(cloud)["jobs_per_day"]["used"], use_of(cloud)["jobs_per_day"]["left"]) == (3.0, 0.0)


def test_a_sent_job_says_in_headers_what_is_left(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5, concurrent_jobs=3, megapixel_steps_per_day=10, asset_bytes=10**9)

    first, second = send(cloud), send(cloud)
    rehearsed = cloud.ask("POST", "/v1/jobs", txt2img() | {"dry_run": True})
    retried = cloud.ask("POST", f"/v1/jobs/{second.json['job_id']}/cancel").ok()["job_id"]
    again = cloud.ask("POST", f"/v1/jobs/{retried}/retry")

    assert first.headers["RateLimit-Policy"] == (
        '"jobs_per_day";q=5;qu="requests";w=86400, "concurrent_jobs";q=3;qu="concurrent-requests", '
        '"megapixel_steps_per_day";q=10;qu="megapixel-steps";w=86400'
    )
    left = [part.split(";t=")[0] for part in first.headers["RateLimit"].split(", ")]
    assert left == ['"jobs_per_day";r=4', '"concurrent_jobs";r=2', '"megapixel_steps_per_day";r=7']
    assert '"jobs_per_day";r=3;t=' in second.headers["RateLimit"]
    assert '"jobs_per_day";r=3;t=' in rehearsed.headers["RateLimit"]
    assert '"jobs_per_day";r=2;t=' in again.headers["RateLimit"]


def test_a_job_that_is_started_after_its_upload_says_it_too(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5, megapixel_steps_per_day=20)

    opened = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream"})
    cloud.put(f"jobs/{opened.json['job_id']}/params.json", json.dumps({"prompt": "a cat"}).encode())
    started = cloud.ask("POST", f"/v1/jobs/{opened.json['job_id']}/start")

    assert '"megapixel_steps_per_day";r=20;' in opened.headers["RateLimit"]
    assert started.ok()["status"] == "queued"
    assert '"megapixel_steps_per_day";r=6;' in started.headers["RateLimit"]
    assert '"jobs_per_day";r=4;' in started.headers["RateLimit"]


def test_only_a_user_with_quotas_pays_a_call_for_the_headers(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5)
    costs = []
    for user in ("alice", "bob"):
        for _ in range(2):
            cloud.counted()
            cloud.ask("POST", "/v1/jobs", txt2img(), user=user).ok(201)
        costs.append(cloud.counted())

    assert costs == [POST_JOB + 1, POST_JOB]


@pytest.mark.parametrize(
    ("quotas", "jobs", "said", "left"),
    [
        ({"jobs_per_day": 1, "concurrent_jobs": 9}, 1, "Your quota jobs_per_day is used up: 1 of 1 jobs today.", 0),
        (
            {"concurrent_jobs": 1, "jobs_per_day": 9},
            1,
            "Your quota concurrent_jobs is used up: 1 of 1 jobs are open;",
            0,
        ),
        (
            {"megapixel_steps_per_day": 4, "jobs_per_day": 9},
            1,
            "Your quota megapixel_steps_per_day has 1.379 of 4 megapixel-steps left today; this job counts 2.621.",
            1,
        ),
        ({"jobs_per_day": 0, "concurrent_jobs": 9}, 0, "Your quota jobs_per_day is 0: you may send no jobs.", None),
        (
            {"megapixel_steps_per_day": 2, "jobs_per_day": 9},
            0,
            "This job counts 2.621 megapixel-steps; your quota megapixel_steps_per_day is 2.",
            None,
        ),
    ],
)
def test_a_refusal_names_the_quota_that_is_hit_and_no_other(
    cloud: Cloud, quotas: dict[str, Any], jobs: int, said: str, left: int | None
) -> None:
    cloud.checkpoint()
    limit(cloud, **quotas)
    for _ in range(jobs):
        send(cloud).ok(201)

    refused = send(cloud)

    detail = refused.problem(429, "quota_exceeded")["detail"]
    assert detail.startswith(said)
    hit, *others = sorted(quotas, key=lambda quota: quota not in said)
    assert not [quota for quota in others if quota in detail]
    if left is None:
        assert "RateLimit" not in refused.headers
    else:
        assert f'"{hit}";r={left}' in refused.headers["RateLimit"]
        assert int(refused.headers["Retry-After"]) > 0


def test_two_quotas_that_are_hit_at_once_are_both_named(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=1, concurrent_jobs=1)
    send(cloud).ok(201)

    refused = send(cloud)

    detail = refused.problem(429, "quota_exceeded")["detail"]
    assert "Your quota jobs_per_day is used up" in detail
    assert "Your quota concurrent_jobs is used up" in detail
    assert int(refused.headers["Retry-After"]) > 3600


def test_a_key_that_asks_too_often_learns_its_limit(cloud: Cloud) -> None:
    callers = AccessStore(cloud.dynamodb, "access", requests_per_minute=20, now=cloud.clock.moment)

    for _ in range(39):
        callers.caller_with(KEYS["alice"])
    with pytest.raises(ProblemError) as refused:
        callers.caller_with(KEYS["alice"])

    answer = problem_response(refused.value, {})
    assert answer.headers["RateLimit-Policy"] == '"requests";q=20;w=60'
    assert answer.headers["RateLimit"] == f'"requests";r=0;t={answer.headers["Retry-After"]}'

"""Quotas of a month: counted in the transactions of those of a day, over midnight, and in dollars when jobs end."""

from datetime import timedelta
from typing import Any

import pytest

from tests.lambdas.cloud import SETTINGS, Cloud, aws_error, txt2img
from tests.lambdas.limited_users import DAY, NEXT_DAY, STEPS, counted, finish, limit, send, use_of

MONTH, NEXT_MONTH = "usage#alice#2026-11", "usage#alice#2026-12"


def steps_in(cloud: Cloud, access_id: str) -> float:
    return float(counted(cloud, access_id).get("megapixel_steps", 0))


def later(cloud: Cloud, **time: int) -> None:
    cloud.clock.now += timedelta(**time)


def run(cloud: Cloud, job_id: str, *, seconds: int) -> None:
    cloud.run(job_id)
    later(cloud, seconds=seconds)
    finish(cloud, job_id)


def refusal(cloud: Cloud) -> Any:
    reply = send(cloud)
    return reply.problem(429, "quota_exceeded")["detail"], int(reply.headers["Retry-After"])


def test_the_jobs_of_a_month_end_at_the_quota_and_begin_again_with_the_next(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_month=2)
    send(cloud).ok(201)
    later(cloud, days=1)
    last = send(cloud)

    detail, wait = refusal(cloud)

    assert detail.startswith(
        "Your quota jobs_per_month is used up: 2 of 2 jobs this month. It resets at 2026-12-01T00:00"
    )
    assert timedelta(days=7) < timedelta(seconds=wait) < timedelta(days=8)
    assert last.headers["RateLimit-Policy"] == f'"jobs_per_month";q=2;qu="requests";w={30 * 86400}'
    assert last.headers["RateLimit"].startswith('"jobs_per_month";r=0;t=')
    assert use_of(cloud)["jobs_per_month"]["resets_at"] == "2026-12-01T00:00:00Z"
    later(cloud, seconds=wait)
    send(cloud).ok(201)


def test_the_steps_of_a_month_are_summed_over_its_days(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_month=6, megapixel_steps_per_day=3)
    send(cloud).ok(201)
    assert "megapixel_steps_per_day has" in refusal(cloud)[0]
    later(cloud, days=1)
    send(cloud).ok(201)
    later(cloud, days=1)

    detail, _ = refusal(cloud)

    assert detail.startswith("Your quota megapixel_steps_per_month has 0.758 of 6 megapixel-steps left this month;")
    assert "per_day" not in detail
    assert steps_in(cloud, MONTH) == pytest.approx(2 * STEPS)


def test_dollars_are_counted_when_jobs_end(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, usd_per_month=1)
    an_hour = SETTINGS.GPU_PRICE_PER_HOUR
    assert an_hour == 1.8
    job_id = send(cloud).ok(201)["job_id"]
    assert use_of(cloud)["usd_per_month"]["used"] == 0.0
    run(cloud, job_id, seconds=1000)
    assert use_of(cloud)["usd_per_month"]["used"] == pytest.approx(0.5, abs=0.001)
    run(cloud, send(cloud).ok(201)["job_id"], seconds=1001)

    detail, _ = refusal(cloud)

    assert detail.startswith("Your quota usd_per_month is used up: 1.0")
    assert "of 1 dollars this month" in detail
    cloud.ask("POST", "/v1/jobs", txt2img(), user="bob").ok(201)


@pytest.mark.parametrize("quota", ["jobs_per_month", "usd_per_month"])
def test_a_quota_of_nothing_says_so(cloud: Cloud, quota: str) -> None:
    cloud.checkpoint()
    limit(cloud, **{quota: 0})  # type: ignore[arg-type]

    problem = send(cloud).problem(429, "quota_exceeded")

    assert problem["detail"] == f"Your quota {quota} is 0: you may send no jobs."


def test_a_job_too_large_for_any_month_says_so(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_month=2)

    problem = send(cloud).problem(429, "quota_exceeded")

    assert problem["detail"] == f"This job counts {STEPS} megapixel-steps; your quota megapixel_steps_per_month is 2."


def test_what_was_never_drawn_is_given_back(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_month=5)
    job_id = send(cloud).ok(201)["job_id"]
    cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()
    assert (steps_in(cloud, MONTH), counted(cloud, MONTH)["jobs_sent"]) == (0, 1)

    cloud.endpoint.invoke_error = aws_error("ValidationError", "no")
    send(cloud).problem(503, "endpoint_not_in_service")

    assert (steps_in(cloud, MONTH), counted(cloud, MONTH)["jobs_sent"]) == (0, 1)


def test_a_job_that_waits_over_the_end_of_a_month_is_given_back_where_it_was_counted(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_month=5)
    later(cloud, days=8, hours=11)
    job_id = send(cloud).ok(201)["job_id"]
    assert steps_in(cloud, MONTH) == pytest.approx(STEPS)
    later(cloud, hours=2)
    ran = send(cloud).ok(201)["job_id"]

    cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()
    run(cloud, ran, seconds=10)

    assert steps_in(cloud, MONTH) == 0
    assert steps_in(cloud, NEXT_MONTH) == pytest.approx(STEPS)
    assert float(counted(cloud, NEXT_MONTH)["gpu_seconds"]) == pytest.approx(10, abs=0.5)
    assert "listing" not in counted(cloud, MONTH)


def test_params_that_follow_are_counted_in_the_month_they_start_in(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, megapixel_steps_per_month=10, megapixel_steps_per_day=9)
    opened = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream"}).ok(201)
    key = f"jobs/{opened['job_id']}/params.json"
    body = b'{"prompt": "a", "width": 512, "height": 512, "steps": 10}'
    cloud.s3.put_object(Bucket=SETTINGS.JOBS_BUCKET, Key=key, Body=body)
    later(cloud, hours=13)

    cloud.ask("POST", f"/v1/jobs/{opened['job_id']}/start").ok()

    assert steps_in(cloud, MONTH) == pytest.approx(STEPS)
    assert steps_in(cloud, f"usage#alice#{DAY}") == 0
    assert steps_in(cloud, f"usage#alice#{NEXT_DAY}") == pytest.approx(STEPS)


def test_without_a_monthly_quota_no_month_is_counted(cloud: Cloud) -> None:
    cloud.checkpoint()
    limit(cloud, jobs_per_day=5)
    run(cloud, send(cloud).ok(201)["job_id"], seconds=10)

    assert counted(cloud, MONTH) == {}
    assert counted(cloud, f"usage#alice#{DAY}")["succeeded"] == 1

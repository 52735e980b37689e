"""Users with quotas, and jobs that count against them."""

from datetime import timedelta
from typing import Any

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.aws.rows import from_item, to_item
from tests.lambdas.cloud import START, Cloud, txt2img

STEPS = 2.621
"""Megapixel-steps of the jobs that `send` sends."""


def use_of(cloud: Cloud) -> dict[str, Any]:
    return {use["quota"]: use for use in cloud.ask("GET", "/v1/me").ok()["quota_use"]}


DAY = START.date().isoformat()
NEXT_DAY = (START + timedelta(days=1)).date().isoformat()


def limit(cloud: Cloud, user: str = "alice", **quotas: int) -> None:
    """Give a user quotas, known everywhere."""
    cloud.ask("PUT", f"/v1/users/{user}", {"role": "artist", "quotas": quotas}, user="root").ok()
    cloud.clock.now += timedelta(seconds=61)


def send(cloud: Cloud, **params: object) -> Any:
    return cloud.ask("POST", "/v1/jobs", txt2img(width=512, height=512, steps=10, **params))


def counted(cloud: Cloud, access_id: str) -> dict[str, Any]:
    item = cloud.dynamodb.get_item(TableName="access", Key=to_item({"access_id": access_id})).get("Item")
    return from_item(item) if item else {}


def finish(cloud: Cloud, job_id: str, status: JobStatus = JobStatus.SUCCEEDED) -> None:
    """End a job at the test's own time."""
    job = cloud.jobs.get(job_id)
    assert job is not None
    error = None if status is JobStatus.SUCCEEDED else JobError.of(JobErrorCode.INTERNAL, "x")
    assert cloud.job_transitions.finish(job, status, now=cloud.clock.now, error=error)

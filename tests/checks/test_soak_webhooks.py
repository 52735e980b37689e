"""The soak notices a webhook that was not told, was told wrongly, or was signed by nobody it knows."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from checks.soak.jobs import SoakJob
from checks.soak.receivers import Expected, faults
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.webhooks import sign
from tests.fetch.local_sites import Asked

JOB = SoakJob(14)
SECRET, FOREIGN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXPECTED = Expected(JOB, SECRET, {"lost": JobStatus.FAILED, "good": JobStatus.SUCCEEDED})


def post(job_id: str, status: str, *, secret: str = SECRET, told_at: int = 1_000, **data: Any) -> Asked:
    document = {
        "type": f"job.{status}",
        "data": {"job_id": job_id, "status": status, "metadata": {"number": "14"}} | data,
    }
    body = json.dumps(document).encode()
    headers = {
        "webhook-id": job_id,
        "webhook-timestamp": str(told_at),
        "webhook-signature": sign([secret], message_id=job_id, timestamp=told_at, body=body),
    }
    return Asked("POST", "models.example", "/hooks/14", headers, body)


TOLD = [post("lost", "failed"), post("lost", "failed", told_at=1_030), post("good", "succeeded")]


def found(told: Sequence[Asked], *, refusals: int = 0) -> list[str]:
    return faults(told, [EXPECTED], lambda _job: refusals)


def test_each_end_told_at_least_once_is_right() -> None:
    assert JOB.has_webhook
    assert found(TOLD) == []
    assert found(TOLD, refusals=1) == []


WRONG = {
    "one end was not told": TOLD[:2],
    "of a state the job never was in": [*TOLD, post("good", "failed")],
    "of a job that is not its own": [*TOLD, post("other", "succeeded")],
    "signed by another secret": [*TOLD[:2], post("good", "succeeded", secret=FOREIGN)],
    "not signed": [*TOLD, replace(TOLD[0], headers={})],
    "its body changed on the way": [*TOLD, replace(TOLD[2], body=TOLD[2].body + b" ")],
    "repeated with another body": [*TOLD, post("good", "succeeded", finished_at="later")],
    "a repeat under an id of its own": [*TOLD, post("good-2", "succeeded")],
    "another job's metadata": [*TOLD[:2], post("good", "succeeded", metadata={"number": "15"})],
    "told to a receiver nobody named": [*TOLD, replace(TOLD[0], path="/hooks/15")],
}


@pytest.mark.parametrize("told", WRONG.values(), ids=WRONG.keys())
def test_anything_else_is_a_fault(told: Sequence[Asked]) -> None:
    assert found(told)


def test_an_attempt_that_was_refused_and_not_repeated_is_a_fault() -> None:
    assert found(TOLD, refusals=2)

"""The stage's health: one metric for all that is wrong, written only while something is."""

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.endpoints.sagemaker import LiveEndpoint
from lambdas.functions.health import Health, Problem, record_problems
from lambdas.functions.metrics import record_ended
from lambdas.functions.sweeper import Swept
from lambdas.jobs.record import JobRecord
from tests.lambdas.cloud import START, Cloud

HOUR = timedelta(hours=1)
REFUSED = ClientError({"Error": {"Code": "AccessDenied"}}, "Call")


def health(*, dead: dict[str, int] | None = None, instances: int = 0, error: Exception | None = None) -> Health:
    """Of a stage whose queues of dead letters hold so many, and whose endpoints have so many instances."""

    def get_queue_attributes(*, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803
        if error is not None:
            raise error
        return {"Attributes": {AttributeNames[0]: str((dead or {})[QueueUrl])}}

    def describe(name: str) -> LiveEndpoint:
        if error is not None:
            raise error
        return LiveEndpoint(name=name, status="InService", instance_count=instances)

    sqs: Any = SimpleNamespace(get_queue_attributes=get_queue_attributes)
    endpoints: Any = SimpleNamespace(describe=describe)
    return Health(sqs=sqs, endpoints=endpoints, dead_letter_queues=list(dead or {}), oldest_allowed=HOUR)


@pytest.mark.parametrize(
    ("found", "oldest_minutes", "waiting_minutes", "instances", "problems"),
    [
        ({"a": 0, "b": 0}, None, None, 0, {}),
        ({"a": 2, "b": 1}, None, None, 0, {Problem.DEAD_LETTERS: 3}),
        ({}, 59, None, 0, {}),
        ({}, 60, None, 0, {Problem.OLDEST_JOB: 1}),
        ({}, 30, 29, 0, {}),
        ({}, 30, 30, 0, {Problem.STUCK_SCALING: 1}),
        ({}, 30, 30, 1, {}),
        ({"a": 1}, 61, 61, 0, {Problem.DEAD_LETTERS: 1, Problem.OLDEST_JOB: 1, Problem.STUCK_SCALING: 1}),
    ],
)
def test_each_problem_is_found_and_nothing_else(
    found: dict[str, int],
    oldest_minutes: int | None,
    waiting_minutes: int | None,
    instances: int,
    problems: dict[Problem, int],
) -> None:
    def ago(minutes: int | None) -> Any:
        return None if minutes is None else START - timedelta(minutes=minutes)

    stuck = {} if waiting_minutes is None else {"goc-main-default": ago(waiting_minutes)}

    assert (
        health(dead=found, instances=instances).problems(oldest=ago(oldest_minutes), stuck=stuck, now=START) == problems
    )


def test_every_endpoint_is_looked_at_those_made_by_the_api_too() -> None:
    stuck = dict.fromkeys(("goc-main-default", "goc-main-second"), START - HOUR)

    assert health().problems(oldest=None, stuck=stuck, now=START) == {Problem.STUCK_SCALING: 2}


def test_what_cannot_be_looked_at_stops_no_sweep_and_is_no_problem(caplog: pytest.LogCaptureFixture) -> None:
    blind = health(dead={"a": 9}, error=REFUSED)

    assert blind.problems(oldest=None, stuck={"e": START - HOUR}, now=START) == {}
    assert not blind.awake("e")
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 3


def test_an_endpoint_is_awake_with_an_instance() -> None:
    assert [health(instances=number).awake("e") for number in (0, 1, 3)] == [False, True, True]


def test_a_problem_is_one_metric_with_and_without_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    record_problems({Problem.DEAD_LETTERS: 2, Problem.OLDEST_JOB: 0}, stack="GenerateOnCloud-dev")

    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "GenerateOnCloud/Health",
        "Dimensions": [[], ["Problem"]],
        "Metrics": [{"Name": "GenerateOnCloud-dev", "Unit": "Count"}],
    }
    assert (line["Problem"], line["GenerateOnCloud-dev"]) == ("DeadLetters", 2)
    assert line["_aws"]["Timestamp"] > 0


def test_a_healthy_stage_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    record_problems({}, stack="goc")

    assert capsys.readouterr().out == ""


def test_a_sweep_knows_the_endpoints_of_open_jobs_and_who_waits_longest(cloud: Cloud) -> None:
    swept = Swept()
    early, late = (cloud.job() for _ in range(2))
    running: JobRecord = cloud.job()
    for job, minutes, status in (
        (early, 9, JobStatus.QUEUED), (late, 3, JobStatus.QUEUED), (running, 20, JobStatus.RUNNING),
    ):  # fmt: skip
        swept.leave(replace(job, status=status, queued_at=START - timedelta(minutes=minutes)))
    swept.leave(replace(early, endpoint="goc-main-other", status=JobStatus.CREATED, queued_at=None))

    assert swept.open == 4
    assert swept.oldest == START - timedelta(minutes=20)
    assert swept.waiting == {early.endpoint: START - timedelta(minutes=9)}
    assert swept.endpoints == {early.endpoint}


def test_jobs_that_failed_for_our_reasons_are_a_problem(capsys: pytest.CaptureFixture[str], cloud: Cloud) -> None:
    job = replace(cloud.job(), status=JobStatus.FAILED)
    ended = [
        replace(job, error=JobError.of(code, "why")) for code in (JobErrorCode.WORKER_LOST, JobErrorCode.BAD_IMAGE)
    ]
    record_ended(ended, stack="goc")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["goc"] for line in lines if line.get("Problem") == "JobsFail"] == [1]

"""Metrics are log lines CloudWatch can read: one for all jobs that ended, one for each reason of a failure."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus, Task
from lambdas.functions.metrics import record_ended, record_open
from lambdas.jobs.record import JobRecord
from tests.lambdas.cloud import START

JOB = JobRecord(
    job_id="j",
    owner="ann",
    task=Task.TXT2IMG,
    status=JobStatus.SUCCEEDED,
    endpoint="goc-main-default",
    created_at=START,
    queued_at=START,
    started_at=START + timedelta(seconds=4),
    finished_at=START + timedelta(seconds=10),
)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def failed(code: JobErrorCode) -> JobRecord:
    return replace(JOB, status=JobStatus.FAILED, error=JobError.of(code, "why"))


def test_jobs_that_ended_are_counted_with_their_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    record_ended([JOB, failed(JobErrorCode.BAD_IMAGE), failed(JobErrorCode.WORKER_LOST)], stack="goc")

    every, *reasons, problem = lines(capsys)
    assert problem["Problem"] == "JobsFail"
    assert every["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "GenerateOnCloud"
    assert every["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack"]]
    assert (every["Stack"], every["JobsEnded"], every["JobsFailedByUs"]) == ("goc", [3], [1])
    assert (every["QueueSeconds"], every["RunSeconds"]) == ([4, 4, 4], [6, 6, 6])
    assert {(line["Code"], line["JobsFailed"][0]) for line in reasons} == {("bad_image", 1), ("worker_lost", 1)}


def test_nothing_that_ended_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    record_ended([], stack="goc")

    assert lines(capsys) == []


def test_the_age_of_the_oldest_open_job_is_told_while_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    record_open(2, oldest=START, now=START + timedelta(minutes=2), stack="goc")
    record_open(0, oldest=None, now=START, stack="goc")

    (some,) = lines(capsys)
    assert (some["OpenJobs"], some["OldestOpenJobSeconds"]) == ([2], [120])

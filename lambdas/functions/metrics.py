"""Metrics about jobs for CloudWatch, embedded in log lines (EMF) so that they need no calls."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from generate_on_cloud.contract.errors import JOB_ERRORS
from generate_on_cloud.contract.metrics import NAMESPACE, STACK
from lambdas.functions.health import Problem, record_problems
from lambdas.jobs.record import JobRecord

CODE = "Code"


class Metric(StrEnum):
    """Names in CloudWatch with the dimension `Stack`; JOBS_FAILED also has CODE."""

    JOBS_ENDED = "JobsEnded"
    JOBS_FAILED = "JobsFailed"
    JOBS_FAILED_BY_US = "JobsFailedByUs"
    """Failed for a reason that is not in the request."""
    QUEUE_SECONDS = "QueueSeconds"
    """Seconds from queued to running."""
    RUN_SECONDS = "RunSeconds"
    OPEN_JOBS = "OpenJobs"
    OLDEST_OPEN_JOB_SECONDS = "OldestOpenJobSeconds"
    """Seconds since the oldest open job was queued."""
    AWAKE_WITHOUT_JOBS = "AwakeWithoutJobs"
    """The default endpoint has an instance, and no job of it is open."""


def record_ended(jobs: Iterable[JobRecord], *, stack: str) -> None:
    """One log line for jobs that have just finished, and one more for each reason of a failure."""
    ended = list(jobs)
    if not ended:
        return
    metrics = _metrics(stack)
    metrics.add_metric(Metric.JOBS_ENDED, MetricUnit.Count, len(ended))
    ours = [job for job in ended if job.error is not None and JOB_ERRORS[job.error.code].http_status >= 500]
    metrics.add_metric(Metric.JOBS_FAILED_BY_US, MetricUnit.Count, len(ours))
    for job in ended:
        if job.started_at is not None:
            _add_span(metrics, Metric.QUEUE_SECONDS, job.queued_at, job.started_at)
            _add_span(metrics, Metric.RUN_SECONDS, job.started_at, job.finished_at)
    metrics.flush_metrics()
    for code in sorted({job.error.code for job in ended if job.error is not None}):
        reasons = _metrics(stack)
        reasons.add_dimension(CODE, code)
        count = sum(job.error is not None and job.error.code is code for job in ended)
        reasons.add_metric(Metric.JOBS_FAILED, MetricUnit.Count, count)
        reasons.flush_metrics()
    if ours:
        record_problems({Problem.JOBS_FAIL: len(ours)}, stack=stack)


def record_open(count: int, *, oldest: datetime | None, now: datetime, stack: str) -> None:
    """How many jobs are open, and when the oldest of them was queued; nothing when there is none.

    CloudWatch bills a metric for each hour it is written in.
    """
    if not count:
        return
    metrics = _metrics(stack)
    metrics.add_metric(Metric.OPEN_JOBS, MetricUnit.Count, count)
    age = (now - oldest).total_seconds() if oldest is not None else 0.0
    metrics.add_metric(Metric.OLDEST_OPEN_JOB_SECONDS, MetricUnit.Seconds, max(0.0, age))
    metrics.flush_metrics()


def record_awake(*, stack: str) -> None:
    """Called each minute in which an instance runs without a job."""
    metrics = _metrics(stack)
    metrics.add_metric(Metric.AWAKE_WITHOUT_JOBS, MetricUnit.Count, 1)
    metrics.flush_metrics()


def _metrics(stack: str) -> EphemeralMetrics:
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension(STACK, stack)
    return metrics


def _add_span(metrics: EphemeralMetrics, name: Metric, start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None:
        metrics.add_metric(name, MetricUnit.Seconds, max(0.0, (end - start).total_seconds()))

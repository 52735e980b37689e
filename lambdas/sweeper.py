"""Lambda, each minute: finishes jobs whose notification was lost, whose worker died, or that nobody started."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from inference_container.contract.errors import JobError, JobErrorCode
from inference_container.contract.jobs import JobStatus
from lambdas.clients import dynamodb_client, s3_client
from lambdas.items import utc_now
from lambdas.job_objects import JobObjects
from lambdas.job_pages import JobPages
from lambdas.jobs import JobRecord, JobStore
from lambdas.metrics import record_ended, record_open
from lambdas.outcomes import Outcomes
from lambdas.settings import SweeperSettings

_LOG = logging.getLogger(__name__)

QUIET = timedelta(minutes=3)
"""Without a heartbeat for this long (or queued for this long) a job's objects are looked at."""
DEAD = timedelta(minutes=10)
"""Without a heartbeat for this long the worker is lost."""
UNSTARTED = timedelta(hours=24)
"""A `created` job whose params never came."""
UNCLAIMED = timedelta(hours=7)
"""A `queued` job nobody claimed: SageMaker drops requests after six hours."""


@dataclass
class Swept:
    """What one sweep saw."""

    ended: list[JobRecord] = field(default_factory=list)
    open: int = 0
    """Jobs that have not ended."""
    oldest: datetime | None = None
    """When the longest waiting of them was queued."""

    def leave(self, job: JobRecord) -> None:
        """Count a job that stays open; one whose params are awaited waits for its user."""
        self.open += 1
        if job.queued_at is not None:
            self.oldest = min(self.oldest or job.queued_at, job.queued_at)


@dataclass(frozen=True)
class Sweeper:
    pages: JobPages
    outcomes: Outcomes

    def sweep(self, now: datetime) -> Swept:
        """Look at every open job once."""
        swept = Swept()
        for batch in self.pages.open_jobs():
            for job in batch:
                try:
                    finished = self._visit(job, now)
                except (ClientError, BotoCoreError):
                    # One job's trouble must not keep the others waiting; this one comes again next minute.
                    _LOG.exception("job %s could not be swept", job.job_id)
                    finished = None
                if finished is None:
                    swept.leave(job)
                else:
                    _LOG.warning("job %s swept: %s -> %s", job.job_id, job.status, finished.status)
                    swept.ended.append(finished)
        return swept

    def _visit(self, job: JobRecord, now: datetime) -> JobRecord | None:
        if job.status is JobStatus.CREATED:
            if now - job.created_at < UNSTARTED:
                return None
            reason = f"The params document was not sent and started within {_hours(UNSTARTED)} hours."
            return self._finish(job, JobStatus.EXPIRED, JobErrorCode.TIMED_OUT, reason, now)
        if job.status is JobStatus.QUEUED:
            return self._visit_queued(job, now)
        if job.status is JobStatus.RUNNING:
            return self._visit_running(job, now)
        return None

    def _visit_queued(self, job: JobRecord, now: datetime) -> JobRecord | None:
        waited = now - (job.queued_at or job.created_at)
        if waited < QUIET:
            return None
        outcome = self.outcomes.recorded(job)
        if outcome is not None:
            return self.outcomes.write(job, outcome, now=now)
        if waited < UNCLAIMED:
            return None
        reason = f"No worker of the endpoint took the job within {_hours(UNCLAIMED)} hours."
        return self._finish(job, JobStatus.EXPIRED, JobErrorCode.TIMED_OUT, reason, now)

    def _visit_running(self, job: JobRecord, now: datetime) -> JobRecord | None:
        seen = job.heartbeat_at
        alive_at = float(seen) if seen is not None else (job.started_at or job.queued_at or job.created_at).timestamp()
        silence = timedelta(seconds=now.timestamp() - alive_at)
        if silence < QUIET:
            return None
        outcome = self.outcomes.recorded(job)
        if outcome is not None:
            return self.outcomes.write(job, outcome, now=now)
        if silence < DEAD:
            return None
        reason = f"The worker has not been heard of for {int(silence.total_seconds())} seconds."
        return self._finish(job, JobStatus.FAILED, JobErrorCode.WORKER_LOST, reason, now)

    def _finish(
        self, job: JobRecord, status: JobStatus, code: JobErrorCode, reason: str, now: datetime
    ) -> JobRecord | None:
        """End the job only as it was seen: same status, no newer heartbeat."""
        error = JobError.of(code, reason)
        return self.outcomes.jobs.finish(
            job, status, now=now, allowed=(job.status,), error=error, heartbeat_seen=job.heartbeat_at
        )


def _hours(span: timedelta) -> int:
    return int(span.total_seconds() // 3600)


@cache
def _settings() -> SweeperSettings:
    return SweeperSettings.from_environment()


@cache
def _sweeper() -> Sweeper:
    settings = _settings()
    dynamodb = dynamodb_client()
    return Sweeper(
        JobPages(dynamodb, settings.JOBS_TABLE),
        Outcomes(JobStore(dynamodb, settings.JOBS_TABLE), JobObjects(s3_client(), settings.JOBS_BUCKET)),
    )


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001
    """Entry point; a schedule."""
    now, stack = utc_now(), _settings().STACK_NAME
    swept = _sweeper().sweep(now)
    record_ended(swept.ended, stack=stack)
    record_open(swept.open, oldest=swept.oldest, now=now, stack=stack)
    return dict(Counter(job.status.value for job in swept.ended))

"""Lambda, each minute: finishes jobs whose notification was lost, whose worker died, or that were never started."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from lambdas.assembly.jobs import Jobs
from lambdas.aws.clients import aws_clients
from lambdas.endpoints.sagemaker import SageMakerEndpoints
from lambdas.functions.health import Health, record_problems
from lambdas.functions.metrics import record_awake, record_ended, record_open
from lambdas.jobs.endpoint_queues import EndpointQueues
from lambdas.jobs.outcomes import Outcome, Outcomes
from lambdas.jobs.pages import JobPages
from lambdas.jobs.record import JobRecord
from lambdas.settings import SweeperSettings

_LOG = logging.getLogger(__name__)

SILENT = timedelta(minutes=1)
"""After this long without a heartbeat we check a running job's objects; its worker writes one about every second."""
QUIET = timedelta(minutes=3)
"""After this long in the queue we check a job's objects; a long queue alone is no reason to read them for every job."""
DEAD = timedelta(minutes=10)
"""After this long without a heartbeat, the worker is lost."""
UNSTARTED = timedelta(hours=24)
"""For a `created` job whose params never arrived."""
UNSENT = timedelta(minutes=2)
"""For a `queued` job without the locations of its answer: the sender died between two calls."""
MAX_SENDS = 3
"""How often such a job is sent again."""
REPLACED_WITHIN = timedelta(minutes=15)
"""How long a job whose endpoint failed or was deleted waits for another endpoint of that name."""
LONGEST_WAIT = timedelta(hours=6)
"""SageMaker drops requests after this time, or after the job's own `ttl_s`."""
UNCLAIMED = timedelta(hours=1)
"""For a `queued` job that no worker claimed, counted from when SageMaker dropped it."""


@dataclass
class Swept:
    """The result of one sweep."""

    ended: list[JobRecord] = field(default_factory=list)
    open: int = 0
    """Open jobs."""
    oldest: datetime | None = None
    """When the longest waiting job was queued."""
    endpoints: set[str] = field(default_factory=set)
    """Of open jobs."""
    waiting: dict[str, datetime] = field(default_factory=dict)
    """By endpoint, when the job that has waited longest for a worker was queued."""

    def leave(self, job: JobRecord) -> None:
        """Count a job that stays open; one without its params is waiting for its user."""
        self.open += 1
        if job.queued_at is None:
            return
        self.endpoints.add(job.endpoint)
        self.oldest = min(self.oldest or job.queued_at, job.queued_at)
        if job.status is JobStatus.QUEUED:
            self.waiting[job.endpoint] = min(self.waiting.get(job.endpoint, job.queued_at), job.queued_at)


@dataclass(frozen=True)
class Sweeper:
    pages: JobPages
    outcomes: Outcomes
    queues: EndpointQueues

    @classmethod
    def of(cls, assembly: Jobs[Any]) -> Self:
        clients = assembly.clients
        queues = EndpointQueues(SageMakerEndpoints(clients.sagemaker, clients.sagemaker_runtime))
        return cls(assembly.pages, assembly.outcomes, queues)

    def sweep(self, now: datetime) -> Swept:
        """Check every open job once."""
        swept = Swept()
        self.queues.forget()
        for batch in self.pages.open_jobs():
            for job in batch:
                try:
                    if job.status in TERMINAL:
                        self.outcomes.transitions.settle(job)
                        continue
                    finished = self._visit(job, now)
                except (ClientError, BotoCoreError):
                    # One job's failure must not delay the others; it is tried again next minute.
                    _LOG.exception("job %s could not be swept", job.job_id, extra=job.log_ids)
                    finished = None
                if finished is None:
                    swept.leave(job)
                else:
                    _LOG.warning("job %s swept: %s -> %s", job.job_id, job.status, finished.status, extra=job.log_ids)
                    swept.ended.append(finished)
        return swept

    def _visit(self, job: JobRecord, now: datetime) -> JobRecord | None:
        if job.status is JobStatus.CREATED:
            if now - job.created_at < UNSTARTED:
                return None
            reason = f"The params document was not uploaded and the job not started within {_hours(UNSTARTED)} hours."
            return self._finish(job, JobStatus.EXPIRED, JobErrorCode.TIMED_OUT, reason, now)
        if job.pauses_until is not None:
            self._visit_pausing(job, job.pauses_until, now)
            return None
        if job.status is JobStatus.QUEUED:
            return self._visit_queued(job, now)
        if job.status is JobStatus.RUNNING:
            return self._visit_running(job, now)
        return None

    def _visit_queued(self, job: JobRecord, now: datetime) -> JobRecord | None:
        queued_at = job.queued_at or job.created_at
        if job.output_key is None and now - (job.sent_again_at or queued_at) >= UNSENT:
            return self._visit_unsent(job, now)
        waited = now - queued_at
        if waited < QUIET:
            return None
        outcome = self.outcomes.recorded(job)
        if outcome is not None:
            return self.outcomes.end_or_retry(job, outcome, now=now)
        if job.output_key is not None and self.queues.why_lost(job) is not None:
            self.outcomes.delivery.send_after_loss(job, now=now)
            return None
        longest = LONGEST_WAIT if job.ttl_s is None else timedelta(seconds=job.ttl_s)
        if now - job.handed_over_at < longest + UNCLAIMED:
            return None
        reason = f"No worker of the endpoint took the job within {int(longest.total_seconds())} seconds."
        return self._finish(job, JobStatus.EXPIRED, JobErrorCode.TIMED_OUT, reason, now)

    def _visit_pausing(self, job: JobRecord, until: datetime, now: datetime) -> None:
        if now >= until:
            self.outcomes.delivery.send_again(job, now=now)

    def _visit_unsent(self, job: JobRecord, now: datetime) -> JobRecord | None:
        if job.request_key is not None and not self.outcomes.objects.exists(job.request_key):
            # It was being started: its params document is still stored, so it can be started again.
            self.outcomes.transitions.unqueue(job.job_id, checkpoint=job.checkpoint)
            return None
        if job.queue_lost_at is not None:
            return self._visit_lost(job, job.queue_lost_at, now)
        if job.uncertain_sends < MAX_SENDS:
            _LOG.warning("sending job %s again", job.job_id, extra=job.log_ids)
            self.outcomes.delivery.send_again(job, now=now)
            return None
        reason = f"The job could not be sent to the endpoint {job.endpoint} in {MAX_SENDS + 1} attempts."
        return self._finish(job, JobStatus.FAILED, JobErrorCode.INTERNAL, reason, now)

    def _visit_lost(self, job: JobRecord, lost_at: datetime, now: datetime) -> JobRecord | None:
        """Send a job again whose endpoint is gone, until another one of its name takes it or the time is over."""
        if now - lost_at < REPLACED_WITHIN or self.queues.may_come(job):
            self.outcomes.delivery.send_again(job, now=now)
            return None
        why = self.queues.why_lost(job) or f"The endpoint {job.endpoint} took no job."
        minutes = int(REPLACED_WITHIN.total_seconds() // 60)
        reason = f"{why} No other took its place within {minutes} minutes: send the job again."
        return self._finish(job, JobStatus.FAILED, JobErrorCode.INTERNAL, reason, now)

    def _visit_running(self, job: JobRecord, now: datetime) -> JobRecord | None:
        seen = job.heartbeat_at
        alive_at = float(seen) if seen is not None else (job.started_at or job.queued_at or job.created_at).timestamp()
        silence = timedelta(seconds=now.timestamp() - alive_at)
        if silence < SILENT:
            return None
        outcome = self.outcomes.recorded(job)
        if outcome is not None:
            return self.outcomes.end_or_retry(job, outcome, now=now)
        if silence < DEAD:
            return None
        reason = f"The worker has sent no heartbeat for {int(silence.total_seconds())} seconds."
        lost = Outcome(JobStatus.FAILED, JobError.of(JobErrorCode.WORKER_LOST, reason))
        return self.outcomes.end_or_retry(job, lost, now=now, heartbeat_seen=seen)

    def _finish(
        self, job: JobRecord, status: JobStatus, code: JobErrorCode, reason: str, now: datetime
    ) -> JobRecord | None:
        """Finish the job only if it is as we saw it: same status, no newer heartbeat."""
        error = JobError.of(code, reason)
        return self.outcomes.transitions.finish(
            job, status, now=now, allowed=(job.status,), error=error, heartbeat_seen=job.heartbeat_at
        )


def _hours(span: timedelta) -> int:
    return int(span.total_seconds() // 3600)


@cache
def _assembly() -> Jobs[SweeperSettings]:
    return Jobs(aws_clients(), SweeperSettings.from_environment())


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001
    """Entry point for a schedule; how many jobs ended, by status, and what is wrong, by its heading in the runbook."""
    assembly = _assembly()
    now, stack = assembly.clock.now(), assembly.settings.STACK_NAME
    swept = Sweeper.of(assembly).sweep(now)
    record_ended(swept.ended, stack=stack)
    record_open(swept.open, oldest=swept.oldest, now=now, stack=stack)
    health = _health(assembly)
    problems = health.problems(oldest=swept.oldest, stuck=swept.waiting, now=now)
    record_problems(problems, stack=stack)
    default = assembly.settings.ENDPOINT_NAME
    if default not in swept.endpoints and health.awake(default):
        record_awake(stack=stack)
    counts = Counter(job.status.value for job in swept.ended)
    return {**counts, **{problem.value: count for problem, count in problems.items()}}


def _health(assembly: Jobs[SweeperSettings]) -> Health:
    clients, settings = assembly.clients, assembly.settings
    return Health(
        sqs=clients.sqs,
        endpoints=SageMakerEndpoints(clients.sagemaker, clients.sagemaker_runtime),
        dead_letter_queues=settings.DEAD_LETTER_QUEUES.split(","),
        oldest_allowed=timedelta(minutes=settings.OLDEST_JOB_MINUTES),
    )

"""How a job that reached its endpoint ended, read from SageMaker's objects and written exactly once.

Both ways to an end use this: the endpoint's notification (`job_events`) and, if that was lost, the sweeper.
"""

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import TERMINAL, JobPhase, JobStatus
from generate_on_cloud.contract.messages import JobFailure, JobResult
from lambdas.jobs.handover import Delivery
from lambdas.jobs.objects import FAILURE_PREFIX, OUTPUT_PREFIX, JobObjects, ObjectTooLargeError
from lambdas.jobs.record import JobRecord
from lambdas.jobs.run_times import RunTimes
from lambdas.jobs.transitions import JobTransitions

_LOG = logging.getLogger(__name__)

MAX_RESULT_BYTES = 5 * 1024**2
MAX_FAILURE_BYTES = 1024**2
MAX_REASON_CHARACTERS = 1000
UPGRADE = timedelta(hours=1)
"""How long the container may be older than the API: an upgrade replaces instances after the functions."""
BETWEEN_REFUSALS = timedelta(minutes=2)


@dataclass(frozen=True)
class Outcome:
    """An end that can be written to the job."""

    status: JobStatus
    error: JobError | None = None
    output_key: str | None = None
    failure_key: str | None = None
    thumbnail: bool = False
    starting: float = 0.0
    """Seconds until its worker began, if it succeeded."""
    told_by_worker: bool = False
    """The error is in the container's own words, not SageMaker's or ours."""


@dataclass(frozen=True)
class Outcomes:
    transitions: JobTransitions
    objects: JobObjects
    delivery: Delivery
    run_times: RunTimes

    def of_output(self, job: JobRecord, key: str) -> Outcome | None:
        """The outcome in the output object; None if the object does not exist or is not this job's."""
        if not _belongs(job, key, known=job.output_key, prefix=OUTPUT_PREFIX):
            return None
        try:
            data = self.objects.read(key, max_bytes=MAX_RESULT_BYTES)
            if data is None:
                return None
            result = JobResult.model_validate_json(data)
        except (ValidationError, ObjectTooLargeError) as error:
            if job.output_key != key:
                return None  # nothing shows that this object belongs to the job
            _LOG.exception("output %s of job %s cannot be read", key, job.job_id, extra=job.log_ids)
            reason = f"The endpoint's answer could not be read ({type(error).__name__})."
            return Outcome(JobStatus.FAILED, JobError.of(JobErrorCode.INTERNAL, reason), output_key=key)
        if result.job_id != job.job_id:
            return None
        starting = result.timings.get(JobPhase.STARTING, 0.0)
        return Outcome(JobStatus.SUCCEEDED, output_key=key, thumbnail=result.thumbnail, starting=starting)

    def of_failure(self, job: JobRecord, key: str | None, *, reason: str | None) -> Outcome | None:
        """The outcome in the failure object, or SageMaker's `reason`; None if it is another job's or there is nothing.

        A failure object without a `JobFailure` means that the container died or could not answer.
        """
        data = None
        if key is not None:
            if not _belongs(job, key, known=job.failure_key, prefix=FAILURE_PREFIX):
                return None
            try:
                data = self.objects.read(key, max_bytes=MAX_FAILURE_BYTES)
            except ObjectTooLargeError:
                data = b""
        if data is None and reason is None:
            return None
        text = (data or b"").decode("utf-8", "replace")
        told = _failure_in(text)
        if told is None:
            said = reason or text or "SageMaker gave no reason"
            failure = JobFailure(error=JobError.of(JobErrorCode.WORKER_LOST, said[:MAX_REASON_CHARACTERS]))
        else:
            failure = told
        of_this_job = failure.job_id == job.job_id or (failure.job_id is None and _is_known(job, key))
        if not of_this_job or failure.error.code is JobErrorCode.RUNS_ELSEWHERE:
            return None
        canceled = failure.error.code is JobErrorCode.CANCELED
        status = JobStatus.CANCELED if canceled else JobStatus.FAILED
        return Outcome(status, failure.error, failure_key=key, told_by_worker=told is not None)

    def recorded(self, job: JobRecord) -> Outcome | None:
        """The outcome that SageMaker has already stored for this job; None if there is none."""
        outcome = self.of_output(job, job.output_key) if job.output_key else None
        if outcome is None and job.failure_key:
            outcome = self.of_failure(job, job.failure_key, reason=None)
        return outcome

    def end_or_retry(
        self, job: JobRecord, outcome: Outcome, *, now: datetime, heartbeat_seen: Decimal | None = None
    ) -> JobRecord | None:
        """Finish the job, queue it again or send it again, as the outcome requires; returns the job if it finished.

        A job that loses its worker gets another one as often as its `retries` say, unless its time is over: the next
        would take as long. One that
        an older container refuses is sent again for as long as an upgrade may take. A job that has already finished
        stays as it is.

        `heartbeat_seen`: do it only if no worker has written another heartbeat since.
        """
        if job.status in TERMINAL:
            return None
        if outcome.error is not None and outcome.error.code is JobErrorCode.WORKER_LOST:
            if job.cancel_requested:
                stopped = JobError.of(JobErrorCode.CANCELED, "the job was canceled")
                outcome = replace(outcome, status=JobStatus.CANCELED, error=stopped)
            elif job.status is JobStatus.RUNNING and job.used_up_its_time and not outcome.told_by_worker:
                reason = f"The run was ended after {job.run_seconds_allowed} s, which is its limit (run_timeout_s)."
                outcome = replace(outcome, error=JobError.of(JobErrorCode.TIMED_OUT, reason))
            elif job.lost_workers < job.retries and job.status is not JobStatus.CREATED:
                self.delivery.requeue(job, now=now)
                return None
        if _awaits_upgrade(job, outcome, now=now):
            if now - (job.sent_again_at or job.queued_at or job.created_at) >= BETWEEN_REFUSALS:
                self.delivery.send_after_refusal(job, now=now)
            return None  # otherwise the sweeper looks at it again
        ended = self.transitions.finish(
            job,
            outcome.status,
            now=now,
            error=outcome.error,
            output_key=outcome.output_key,
            failure_key=outcome.failure_key,
            thumbnail=outcome.thumbnail,
            heartbeat_seen=heartbeat_seen,
        )
        if ended is not None:
            _LOG.info("job %s %s", ended.job_id, ended.status.value, extra=ended.log_ids)
            if ended.status is JobStatus.SUCCEEDED:
                self._note_run_time(ended, starting=outcome.starting)
        return ended

    def _note_run_time(self, job: JobRecord, *, starting: float) -> None:
        try:
            self.run_times.note(job, starting=starting)
        except (ClientError, BotoCoreError):
            _LOG.exception(
                "the run time of job %s was not recorded", job.job_id, extra=job.log_ids
            )  # only estimates of waiting times depend on it


def _belongs(job: JobRecord, key: str, *, known: str | None, prefix: str) -> bool:
    """Whether an object may be this job's; if its key is not the expected one, its content must name the job."""
    sent_twice = job.sends > 0 and job.worker_lost_at is None
    return key == known or ((known is None or sent_twice) and key.startswith(prefix))


def _awaits_upgrade(job: JobRecord, outcome: Outcome, *, now: datetime) -> bool:
    """Whether an older container refused the job and a newer one may still come."""
    return (
        outcome.error is not None
        and outcome.error.code is JobErrorCode.CONTRACT_MISMATCH
        and job.status is JobStatus.QUEUED
        and now - (job.queued_at or job.created_at) < UPGRADE
    )


def _is_known(job: JobRecord, key: str | None) -> bool:
    """Whether a failure that names no job can only be this one's."""
    return key is None or key == job.failure_key or job.failure_key is None


def _failure_in(text: str) -> JobFailure | None:
    """The container's own answer, alone or inside SageMaker's (`… from primary with message "{…}". See …`)."""
    candidates = [text]
    if "{" in text:
        inner = text[text.index("{") : text.rfind("}") + 1]
        candidates.append(inner)
        candidates.append(inner.replace('\\"', '"'))
    for candidate in candidates:
        try:
            return JobFailure.model_validate(json.loads(candidate))
        except (ValueError, RecursionError):  # ValidationError is a ValueError
            continue
    return None

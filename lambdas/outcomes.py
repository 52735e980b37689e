"""How a job that reached its endpoint ended, read from SageMaker's objects, and written exactly once.

Both ways to an end come through here: the endpoint's notification (`job_events`) and the sweeper, when that was lost.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from inference_container.contract.errors import JobError, JobErrorCode
from inference_container.contract.jobs import TERMINAL, JobStatus
from inference_container.contract.messages import JobFailure, JobResult
from lambdas.job_objects import FAILURE_PREFIX, OUTPUT_PREFIX, JobObjects, ObjectTooLargeError
from lambdas.jobs import JobRecord, JobStore

_LOG = logging.getLogger(__name__)

MAX_RESULT_BYTES = 5 * 1024**2
MAX_FAILURE_BYTES = 1024**2
MAX_REASON_CHARACTERS = 1000


@dataclass(frozen=True)
class Outcome:
    """An end that may be written."""

    status: JobStatus
    error: JobError | None = None
    output_key: str | None = None
    failure_key: str | None = None


@dataclass(frozen=True)
class Outcomes:
    jobs: JobStore
    objects: JobObjects

    def of_output(self, job: JobRecord, key: str) -> Outcome | None:
        """What the output object says; None when it is not there or not this job's."""
        if not _belongs(key, known=job.output_key, prefix=OUTPUT_PREFIX):
            return None
        try:
            data = self.objects.read(key, max_bytes=MAX_RESULT_BYTES)
            if data is None:
                return None
            result = JobResult.model_validate_json(data)
        except (ValidationError, ObjectTooLargeError) as error:
            if job.output_key is None:
                return None  # nothing shows that this object is the job's
            _LOG.exception("output %s of job %s cannot be read", key, job.job_id)
            reason = f"The endpoint's answer cannot be read ({type(error).__name__})."
            return Outcome(JobStatus.FAILED, JobError.of(JobErrorCode.INTERNAL, reason), output_key=key)
        if result.job_id != job.job_id:
            return None
        return Outcome(JobStatus.SUCCEEDED, output_key=key)

    def of_failure(self, job: JobRecord, key: str | None, *, reason: str | None) -> Outcome | None:
        """What the failure object says, or SageMaker's `reason`; None when it is another job's, or says nothing.

        A failure object that holds no `JobFailure` means that the container died or could not answer.
        """
        data = None
        if key is not None:
            if not _belongs(key, known=job.failure_key, prefix=FAILURE_PREFIX):
                return None
            try:
                data = self.objects.read(key, max_bytes=MAX_FAILURE_BYTES)
            except ObjectTooLargeError:
                data = b""
        if data is None and reason is None:
            return None
        text = (data or b"").decode("utf-8", "replace")
        failure = _failure_in(text)
        if failure is None:
            said = reason or text or "SageMaker gave no reason"
            failure = JobFailure(error=JobError.of(JobErrorCode.WORKER_LOST, said[:MAX_REASON_CHARACTERS]))
        if failure.job_id not in (None, job.job_id):
            return None
        canceled = failure.error.code is JobErrorCode.CANCELED
        status = JobStatus.CANCELED if canceled else JobStatus.FAILED
        return Outcome(status, failure.error, failure_key=key)

    def recorded(self, job: JobRecord) -> Outcome | None:
        """The outcome SageMaker has already stored for this job, None when there is none."""
        outcome = self.of_output(job, job.output_key) if job.output_key else None
        if outcome is None and job.failure_key:
            outcome = self.of_failure(job, job.failure_key, reason=None)
        return outcome

    def write(self, job: JobRecord, outcome: Outcome, *, now: datetime) -> JobRecord | None:
        """End the job so; None when it has ended already."""
        if job.status in TERMINAL:
            return None
        return self.jobs.finish(
            job,
            outcome.status,
            now=now,
            error=outcome.error,
            output_key=outcome.output_key,
            failure_key=outcome.failure_key,
        )


def _belongs(key: str, *, known: str | None, prefix: str) -> bool:
    return key == known if known is not None else key.startswith(prefix)


def _failure_in(text: str) -> JobFailure | None:
    """The container's own words, alone or inside SageMaker's (`… from primary with message "{…}". See …`)."""
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

"""Lambda: finishes jobs according to SageMaker's notifications; exactly once, however often and late they arrive."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.assembly.jobs import Jobs
from lambdas.aws.clients import aws_clients
from lambdas.aws.rows import is_id
from lambdas.functions.metrics import record_ended
from lambdas.jobs.outcomes import Outcome, Outcomes
from lambdas.jobs.record import JobRecord
from lambdas.settings import JobEventsSettings

_LOG = logging.getLogger(__name__)


class Locations(BaseModel, defer_build=True):
    output_location: str | None = Field(default=None, alias="outputLocation")
    failure_location: str | None = Field(default=None, alias="failureLocation")


class Notification(BaseModel):
    """SageMaker's message about one asynchronous invocation; it has more fields than we need."""

    model_config = ConfigDict(defer_build=True, extra="ignore")

    inference_id: str = Field(alias="inferenceId")
    invocation_status: Literal["Completed", "Failed", "Expired"] = Field(alias="invocationStatus")
    failure_reason: str | None = Field(default=None, alias="failureReason")
    received_time: datetime | None = Field(default=None, alias="receivedTime")
    """When SageMaker accepted the request."""
    response_parameters: Locations = Field(default_factory=Locations, alias="responseParameters")


class AboutNoInvocationError(Exception):
    """A message about no invocation: SageMaker tests its topics so at every creation, update and scaling."""


class MalformedError(Exception):
    """A message that no retry can make readable, or that is not about one of our jobs."""


@dataclass(frozen=True)
class JobEvents:
    outcomes: Outcomes
    now: Callable[[], datetime]

    @classmethod
    def of(cls, assembly: Jobs[Any]) -> Self:
        return cls(assembly.outcomes, assembly.clock.now)

    def handle(self, message: str) -> JobRecord | None:
        """Apply one notification, the message of an SNS record; returns the job if this finished it.

        Raises:
            AboutNoInvocationError: there is nothing to do.
            MalformedError: the message is dropped.
            ClientError, BotoCoreError: AWS failed; the message must be delivered again.
        """
        notification = _notification(message)
        job_id = notification.inference_id
        job = self.outcomes.transitions.jobs.get(job_id) if is_id(job_id) else None
        if job is None:
            raise MalformedError(f"the job {job_id[:100]!r} does not exist")
        if _is_of_lost_worker(job, notification):
            raise MalformedError(f"it is about an attempt whose worker was lost; job {job.job_id} has a newer one")
        outcome = self._outcome(job, notification)
        ended = self.outcomes.end_or_retry(job, outcome, now=self.now())
        if ended is None:
            status = notification.invocation_status
            _LOG.info("%s does not change job %s", status, job.job_id, extra=job.log_ids)
        return ended

    def _outcome(self, job: JobRecord, notification: Notification) -> Outcome:
        locations = notification.response_parameters
        outcome: Outcome | None
        if notification.invocation_status == "Completed":
            outcome = self.outcomes.of_output(job, self._key(locations.output_location))
        elif notification.invocation_status == "Failed":
            location = locations.failure_location
            key = job.failure_key if location is None else self._key(location)
            outcome = self.outcomes.of_failure(job, key, reason=notification.failure_reason or "no reason given")
        else:
            reason = notification.failure_reason or "The job waited for its endpoint longer than the queue keeps jobs."
            outcome = Outcome(JobStatus.EXPIRED, JobError.of(JobErrorCode.TIMED_OUT, reason))
        if outcome is None:
            raise MalformedError(f"the object it names does not belong to job {job.job_id}")
        return outcome

    def _key(self, location: str | None) -> str:
        key = None if location is None else self.outcomes.objects.key_of(location)
        if key is None:
            raise MalformedError(f"{str(location)[:200]!r} is not in the jobs bucket")
        return key


def _is_of_lost_worker(job: JobRecord, notification: Notification) -> bool:
    received, lost = notification.received_time, job.worker_lost_at
    return lost is not None and received is not None and received.tzinfo is not None and received < lost


def _notification(message: str) -> Notification:
    try:
        return Notification.model_validate_json(message)
    except (RecursionError, ValidationError) as error:
        if not any(f'"{name}"' in message for name in ("inferenceId", "invocationStatus")):
            raise AboutNoInvocationError(message[:500]) from error
        raise MalformedError(f"not a SageMaker notification: {str(error)[:500]}") from error


def handle_event(events: JobEvents, event: Mapping[str, Any], *, stack: str) -> None:
    """Apply the records of an SNS event; SNS sends one at a time.

    `stack` is the dimension of the metrics that count the finished jobs.

    Raises:
        ClientError, BotoCoreError: AWS failed: Lambda tries the event again, and applying a record twice is harmless.
    """
    ended: list[JobRecord] = []
    try:
        for record in event["Records"]:
            told = record["Sns"]
            try:
                job = events.handle(told["Message"])
            except AboutNoInvocationError as error:
                _LOG.info("message %s is about no invocation: %s", told.get("MessageId"), error)
                continue
            except MalformedError as error:
                _LOG.warning("message %s dropped: %s", told.get("MessageId"), error)
                continue
            ended.extend([job] if job is not None else [])
    finally:
        record_ended(ended, stack=stack)


@cache
def _assembly() -> Jobs[JobEventsSettings]:
    return Jobs(aws_clients(), JobEventsSettings.from_environment())


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001
    """Entry point for SNS; Lambda retries what fails, then it is a dead letter."""
    assembly = _assembly()
    handle_event(JobEvents.of(assembly), event, stack=assembly.settings.STACK_NAME)

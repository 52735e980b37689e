"""Lambda: finishes jobs according to SageMaker's notifications; exactly once, however often and late they arrive."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, Self, cast

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
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


class MalformedError(Exception):
    """A message that no retry can make readable, or that is not about one of our jobs."""


@dataclass(frozen=True)
class JobEvents:
    outcomes: Outcomes
    now: Callable[[], datetime]

    @classmethod
    def of(cls, assembly: Jobs[Any]) -> Self:
        return cls(assembly.outcomes, assembly.clock.now)

    def handle(self, body: str) -> JobRecord | None:
        """Apply one SQS record, an SNS envelope around a notification; returns the job if this finished it.

        Raises:
            MalformedError: the message is dropped.
            ClientError, BotoCoreError: AWS failed; the message must be delivered again.
        """
        notification = _notification(body)
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


def _notification(body: str) -> Notification:
    try:
        envelope = json.loads(body)
        if not isinstance(envelope, dict) or not isinstance(envelope.get("Message"), str):
            raise MalformedError("not an SNS envelope")
        return Notification.model_validate_json(envelope["Message"])
    except (json.JSONDecodeError, RecursionError, ValidationError) as error:
        raise MalformedError(f"not a SageMaker notification: {str(error)[:500]}") from error


def handle_batch(events: JobEvents, event: Mapping[str, Any], *, stack: str) -> dict[str, list[dict[str, str]]]:
    """Apply every record; those that failed are named in the answer, so that only they are delivered again.

    `stack` is the dimension of the metrics that count the finished jobs.
    """
    ended: list[JobRecord] = []

    def apply(record: SQSRecord) -> None:
        try:
            job = events.handle(record.body)
        except MalformedError as error:
            _LOG.warning("message %s dropped: %s", record.message_id, error)
        except Exception:
            _LOG.exception("message %s will be tried again", record.message_id)
            raise
        else:
            ended.extend([job] if job is not None else [])

    answer: Any = process_partial_response(
        event=dict(event),
        record_handler=apply,
        # A batch in which everything failed is answered like any other; raising would only make Lambda log it twice.
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
    )
    record_ended(ended, stack=stack)
    return cast("dict[str, list[dict[str, str]]]", answer)


@cache
def _assembly() -> Jobs[JobEventsSettings]:
    return Jobs(aws_clients(), JobEventsSettings.from_environment())


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:  # noqa: ARG001
    """Entry point for SQS with partial batch failures."""
    assembly = _assembly()
    return handle_batch(JobEvents.of(assembly), event, stack=assembly.settings.STACK_NAME)

"""Lambda: sends signed webhooks for finished jobs from a queue, retries with growing waits, and logs each attempt."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from generate_on_cloud.contract.trace_context import HEADER as TRACE_HEADER
from generate_on_cloud.contract.webhooks import WebhookBody, WebhookEvent, WebhookJob, sign
from generate_on_cloud.fetching.public_addresses import FetchError, FetchFailure
from generate_on_cloud.fetching.safe_fetch import FetchLimits, PostAnswer, SafeFetch
from lambdas.access.users import UserStore
from lambdas.assembly.accounts import Accounts
from lambdas.aws.clients import aws_clients
from lambdas.aws.rows import is_id, timestamp, utc_now
from lambdas.functions.webhook_times import BACK_OFF_SECONDS
from lambdas.jobs.record import JobRecord, fields_of
from lambdas.jobs.store import JobStore
from lambdas.settings import WebhookSettings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)

GONE = 410
"""The receiver wants no more webhooks (Standard Webhooks): do not retry."""
MAX_ERROR_CHARACTERS = 300
_LIMITS = FetchLimits(max_bytes=1024, total_seconds=15.0, stall_seconds=10.0)
_HOPELESS = frozenset({FetchFailure.BAD_URL, FetchFailure.NOT_PUBLIC})


class Poster(Protocol):
    """The part of `SafeFetch` that we use."""

    def post(
        self, url: str, body: bytes, *, limits: FetchLimits, headers: Mapping[str, str] | None = None
    ) -> PostAnswer: ...


class Later(Exception):  # noqa: N818 - not an error of ours: the message is delivered again
    """Retry this delivery in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Webhooks:
    jobs: JobStore
    users: UserStore
    poster: Poster
    now: Callable[[], datetime] = utc_now
    back_off: Sequence[int] = BACK_OFF_SECONDS
    """Seconds to wait after each failed attempt; after the last one we give up."""

    @classmethod
    def of(
        cls, assembly: Accounts[WebhookSettings], *, poster: Poster, back_off: Sequence[int] = BACK_OFF_SECONDS
    ) -> Self:
        jobs = JobStore(assembly.clients.dynamodb, assembly.settings.JOBS_TABLE)
        return cls(jobs, assembly.users, poster, assembly.clock.now, back_off)

    def deliver(self, job_id: str, *, attempt: int) -> None:
        """Send one finished job's webhook and log the result.

        Raises:
            Later: it failed, but may succeed later.
            ClientError, BotoCoreError: AWS failed.
        """
        job = self.jobs.get(job_id) if is_id(job_id) else None
        if job is None or job.webhook is None or (event := event_of(job)) not in job.webhook.events:
            return
        user = self.users.get(job.owner)
        if user is None or not user.webhook_secrets:
            self._log(job, attempt, outcome="given_up", error="the job's user or their secret no longer exists")
            return
        status, error, hopeless = self._post(job, job.webhook.url, event, user.webhook_secrets)
        if status is not None and 200 <= status < 300:
            self._log(job, attempt, outcome="delivered", status=status)
        elif hopeless or attempt > len(self.back_off):
            self._log(job, attempt, outcome="given_up", status=status, error=error)
        else:
            self._log(job, attempt, outcome="retrying", status=status, error=error)
            raise Later(self.back_off[attempt - 1])

    def _post(
        self, job: JobRecord, url: str, event: WebhookEvent, secrets: Sequence[str]
    ) -> tuple[int | None, str | None, bool]:
        """The receiver's status, the error, and whether retrying is pointless."""
        body = body_of(job, event)
        moment = int(self.now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": job.job_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(secrets, message_id=job.job_id, timestamp=moment, body=body),
        }
        if job.traceparent is not None:
            headers[TRACE_HEADER] = job.traceparent
        try:
            answer = self.poster.post(url, body, limits=_LIMITS, headers=headers)
        except FetchError as error:
            return None, str(error)[:MAX_ERROR_CHARACTERS], error.reason in _HOPELESS
        failed = None if 200 <= answer.status < 300 else f"the receiver answered {answer.status}"
        return answer.status, failed, answer.status == GONE

    def _log(
        self, job: JobRecord, attempt: int, *, outcome: str, status: int | None = None, error: str | None = None
    ) -> None:
        # A redelivery is another message, whose receipts are counted from 1; the job counts on.
        number = max(attempt, 1 + max((earlier.attempt for earlier in job.deliveries), default=0))
        line = {"attempt": number, "at": timestamp(self.now()), "status": status, "outcome": outcome, "error": error}
        _LOG.info("webhook of job %s: %s", job.job_id, outcome, extra=job.log_ids)
        self.jobs.log_delivery(job.job_id, {name: value for name, value in line.items() if value is not None})


def event_of(job: JobRecord) -> WebhookEvent:
    """The event for a job with a final status."""
    return WebhookEvent(f"job.{job.status}")


def body_of(job: JobRecord, event: WebhookEvent) -> bytes:
    """The bytes to post, the same at every attempt."""
    finished = job.finished_at or job.created_at
    others = {"finished_at": finished, "error_code": job.error.code.value if job.error else None}
    told = WebhookJob(**{**fields_of(job, among=WebhookJob.model_fields), **others})
    return WebhookBody(type=event, timestamp=finished, data=told).model_dump_json().encode()


def handle_batch(
    webhooks: Webhooks, event: Mapping[str, Any], *, client: "SQSClient", queue_url: str
) -> dict[str, list[dict[str, str]]]:
    """Deliver every record; those that failed are named in the answer and delivered again after their wait."""

    def deliver(record: SQSRecord) -> None:
        attempt = int(record.attributes.approximate_receive_count)
        try:
            webhooks.deliver(json.loads(record.body)["job_id"], attempt=attempt)
        except Later as later:
            client.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=later.seconds
            )
            raise
        except Exception:
            _LOG.exception("webhook %s will be tried again", record.message_id)
            raise

    answer: Any = process_partial_response(
        event=dict(event),
        record_handler=deliver,
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
    )
    return cast("dict[str, list[dict[str, str]]]", answer)


@cache
def _assembly() -> Accounts[WebhookSettings]:
    return Accounts(aws_clients(stores_objects=False), WebhookSettings.from_environment())


@cache
def _webhooks() -> Webhooks:
    return Webhooks.of(_assembly(), poster=SafeFetch())


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:  # noqa: ARG001
    """Entry point for SQS with partial batch failures."""
    assembly = _assembly()
    return handle_batch(_webhooks(), event, client=assembly.clients.sqs, queue_url=assembly.settings.WEBHOOK_QUEUE_URL)

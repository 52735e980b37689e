"""Webhooks: what the service sends to your server when a job finishes, signed as Standard Webhooks 1.0 defines."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from generate_on_cloud.contract.jobs import JobStatus, Task

SECRET_PREFIX = "whsec_"  # noqa: S105 - the standard's prefix, no secret
SECRET_BYTES = 32


class WebhookEvent(StrEnum):
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    JOB_EXPIRED = "job.expired"


class Webhook(BaseModel):
    """The URL to call when a job finishes, and the events to send."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    url: str = Field(min_length=1, max_length=2000)
    """https, with a public address."""
    events: list[WebhookEvent] = Field(default=list(WebhookEvent), min_length=1, max_length=len(WebhookEvent))


class WebhookJob(BaseModel, defer_build=True):
    """The job that a webhook is about; get its pictures at `GET /v1/jobs/{job_id}`."""

    job_id: str
    task: Task
    status: JobStatus
    created_at: datetime
    finished_at: datetime
    metadata: dict[str, str] = {}
    error_code: str | None = None
    correlation_id: str | None = None
    """`x-correlation-id` of the request that sent the job."""


class WebhookBody(BaseModel, defer_build=True):
    """The body of the POST."""

    type: WebhookEvent
    timestamp: datetime
    """When it happened; the same in every attempt."""
    data: WebhookJob


class DeliveryView(BaseModel, defer_build=True):
    """One attempt to deliver a webhook."""

    attempt: int
    at: datetime
    status: int | None = None
    """The receiver's HTTP status; None if it could not be reached."""
    outcome: Literal["delivered", "retrying", "given_up"]
    error: str | None = None


class DeliveryList(BaseModel, defer_build=True):
    """`GET /v1/jobs/{job_id}/deliveries`"""

    webhook: Webhook | None
    deliveries: list[DeliveryView]


def sign(secrets: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: a `v1` signature with each secret, one of which the receiver knows.

    Args:
        secrets: `whsec_` and base64 of the key.
        message_id: the `webhook-id` header, the same in every attempt.
        timestamp: the `webhook-timestamp` header, epoch seconds of this attempt.
        body: the bytes that are sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [hmac.new(_key(secret), signed, hashlib.sha256).digest() for secret in secrets]
    return " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))

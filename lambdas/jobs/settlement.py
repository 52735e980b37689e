"""What follows the end of a job: its usage is counted and its place among the open ones is free, exactly once, and its
webhook is queued, at least once.

The end itself leaves `open` on the job; the settlement takes it away in the transaction that counts. Whatever dies in
between is settled by the sweeper, which looks at every job that has `open`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.webhooks import WebhookEvent
from lambdas.access.usage import UsageStore
from lambdas.aws.transactions import Condition, transact, update
from lambdas.endpoints.load import EndpointLoad

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from lambdas.jobs.record import JobRecord


@dataclass(frozen=True)
class WebhookQueue:
    """Where ended jobs wait for their webhooks to be delivered."""

    client: "SQSClient"
    url: str

    def send(self, job: "JobRecord") -> None:
        """Have this ended job's webhook delivered, if it has one for its end."""
        if job.webhook is not None and WebhookEvent(f"job.{job.status}") in job.webhook.events:
            self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps({"job_id": job.job_id}))


@dataclass(frozen=True)
class Settlement:
    usage: UsageStore
    load: EndpointLoad
    webhooks: WebhookQueue
    jobs_table: str

    def settle(self, job: "JobRecord") -> bool:
        """Count an ended job; False when it has been counted before.

        Raises:
            ClientError, BotoCoreError: AWS failed; the sweeper will try again.
        """
        # Before the count: whoever dies in between sends it twice, with one id, and never not at all.
        self.webhooks.send(job)
        finished = job.finished_at or datetime.now(UTC)
        actions = [
            update(
                self.jobs_table,
                {"job_id": job.job_id},
                "REMOVE #open",
                {":ended": job.status.value},
                condition=Condition("a job to be settled", "attribute_exists(#open) AND #status = :ended"),
                names=["open", "status"],
            ),
            *self.usage.ended(
                job.owner,
                job.status,
                day=finished.date(),
                gpu_seconds=gpu_seconds(job),
                unused=job.charge if _never_ran(job) else None,
            ),
        ]
        if job.charge is not None:
            actions += self.usage.release(job.charge, unsent=False)
        actions += self.load.free(job)
        return not transact(self.usage.access.client, actions)


def _never_ran(job: "JobRecord") -> bool:
    """Whether it was canceled before any worker had it."""
    return job.status is JobStatus.CANCELED and job.started_at is None and job.worker_lost_at is None


def gpu_seconds(job: "JobRecord") -> Decimal:
    """How long a worker had the job: to its end, or to the last heartbeat of a lost one; 0 when none ever had it."""
    if job.started_at is None or job.finished_at is None:
        return Decimal(0)
    end = job.finished_at.timestamp()
    if job.error is not None and job.error.code is JobErrorCode.WORKER_LOST and job.heartbeat_at is not None:
        end = float(job.heartbeat_at)
    return Decimal(f"{max(0.0, end - job.started_at.timestamp()):.3f}")

"""What follows the end of a job: its usage is counted and its place among the open ones is free, exactly once, and its
webhook is queued, at least once.

The end itself leaves `open` on the job; the settlement takes it away in the transaction that counts. Whatever dies in
between is settled by the sweeper, which looks at every job that has `open`.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generate_on_cloud.contract.webhooks import WebhookEvent
from lambdas.jobs.counts import Counts

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
    counts: Counts
    webhooks: WebhookQueue

    def settle(self, job: "JobRecord") -> bool:
        """Queue an ended job's webhook and count its end; False when it has been counted before.

        Raises:
            ClientError, BotoCoreError: AWS failed; the sweeper will try again.
        """
        # Before the count: whoever dies in between sends it twice, with one id, and never not at all.
        self.webhooks.send(job)
        return self.counts.settle(job)

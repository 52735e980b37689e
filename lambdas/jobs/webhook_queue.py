"""Where webhooks of finished jobs wait to be delivered, at least once."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generate_on_cloud.contract.webhooks import Webhook, WebhookEvent
from lambdas.jobs.record import JobRecord

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class WebhookQueue:
    client: "SQSClient"
    url: str

    def send(self, job: JobRecord, webhook: Webhook) -> None:
        """Queue this finished job's webhook, if it asks for its event."""
        if WebhookEvent(f"job.{job.status}") in webhook.events:
            self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps({"job_id": job.job_id}))

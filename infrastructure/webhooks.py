"""Where webhooks of finished jobs wait for delivery: a queue with a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from constructs import Construct

from infrastructure.queues import add_queues
from lambdas.functions.webhook_times import BACK_OFF_SECONDS, MAX_ATTEMPTS

WEBHOOKS_TIMEOUT = Duration.seconds(30)


class WebhookQueues(Construct):
    """Messages are `{"job_id": …}`; each is tried MAX_ATTEMPTS times, with growing waits."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self.queue, self.dead_letters = add_queues(
            self,
            consumer_timeout=WEBHOOKS_TIMEOUT,
            max_receives=MAX_ATTEMPTS,
            # Longer than all waits together.
            retention=Duration.seconds(max(4 * 86_400, 2 * sum(BACK_OFF_SECONDS))),
            key=key,
        )

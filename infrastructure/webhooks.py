"""Where ended jobs wait until their users' servers have been told: a queue with a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.webhook_times import BACK_OFF_SECONDS, MAX_ATTEMPTS

WEBHOOKS_TIMEOUT = Duration.seconds(30)


class WebhookQueues(Construct):
    """Messages are `{"job_id": …}`; each is tried MAX_ATTEMPTS times, ever later."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # Longer than all waits together.
            retention_period=Duration.seconds(max(4 * 86_400, 2 * sum(BACK_OFF_SECONDS))),
            visibility_timeout=Duration.seconds(6 * WEBHOOKS_TIMEOUT.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_ATTEMPTS),
        )

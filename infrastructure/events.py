"""The way back from the endpoint: success and error topics feed one queue with a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infrastructure.queues import add_queues

MAX_RECEIVES = 5
"""Attempts before a message goes to the dead-letter queue."""


class Events(Construct):
    """Messages are SageMaker's own (docs/architecture/01-jobs.md), in SNS's envelope.

    Args:
        consumer_timeout: time-out of the function that reads the queue.
        key: the stage's key; None: AWS's own.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, consumer_timeout: Duration, key: kms.IKey | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue, self.dead_letters = add_queues(
            self, consumer_timeout=consumer_timeout, max_receives=MAX_RECEIVES, retention=Duration.days(4), key=key
        )
        # AWS's own key: its policy lets everyone who may publish in this account use it through SNS.
        topic_key = key or kms.Alias.from_alias_name(self, "TopicKey", "alias/aws/sns")
        self.success = sns.Topic(self, "Success", enforce_ssl=True, master_key=topic_key)
        self.error = sns.Topic(self, "Error", enforce_ssl=True, master_key=topic_key)
        for topic in (self.success, self.error):
            topic.add_subscription(subscriptions.SqsSubscription(self.queue, dead_letter_queue=self.dead_letters))

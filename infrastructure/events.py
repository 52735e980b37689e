"""The way back from the endpoint: success and error topics start a function, with a dead-letter queue.

There is no queue between them: Lambda asks an idle queue more than half a million times a month. It keeps what a topic
sends until a run succeeds or the attempts are used up.
"""

from typing import Final

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infrastructure.findings import acknowledge
from infrastructure.queues import add_dead_letters

RETRIES: Final = 2
"""After the first attempt, one and two minutes later: Lambda makes no more."""
LONGEST_SECONDS: Final = 21_600
"""How long Lambda keeps a message for which it finds no free execution."""


class Events(Construct):
    """Messages are SageMaker's own (docs/architecture/01-jobs.md), in SNS's envelope.

    Args:
        key: the stage's key; None: AWS's own.
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = add_dead_letters(self, key=key)
        acknowledge(self.dead_letters, "SQS3", "it is the dead-letter queue of a function and of subscriptions")
        # AWS's own key: its policy lets everyone who may publish in this account use it through SNS.
        topic_key = key or kms.Alias.from_alias_name(self, "TopicKey", "alias/aws/sns")
        self.success = sns.Topic(self, "Success", enforce_ssl=True, master_key=topic_key)
        self.error = sns.Topic(self, "Error", enforce_ssl=True, master_key=topic_key)

    def start(self, function: lambda_.Function) -> None:
        """Start `function` for each message; one that cannot be delivered, or fails every time, is a dead letter."""
        for topic in (self.success, self.error):
            topic.add_subscription(subscriptions.LambdaSubscription(function, dead_letter_queue=self.dead_letters))
        # Not CDK's own destination, whose grant allows more of the stage's key than a message takes.
        attempts = lambda_.CfnEventInvokeConfig(
            self,
            "Attempts",
            function_name=function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=RETRIES,
            maximum_event_age_in_seconds=LONGEST_SECONDS,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self.dead_letters.queue_arn)
            ),
        )
        if function.role is not None:
            # Lambda tries the role's right to send when it learns of the destination.
            attempts.node.add_dependency(function.role)

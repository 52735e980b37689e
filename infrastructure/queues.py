"""A queue that is read by a function, and the queue of what that could not handle."""

from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class QueuePair(NamedTuple):
    queue: sqs.Queue
    dead_letters: sqs.Queue


def add_queues(
    scope: Construct,
    *,
    consumer_timeout: Duration,
    max_receives: int,
    retention: Duration,
    key: kms.IKey | None,
) -> QueuePair:
    """`Queue` and `DeadLetters` below `scope`, encrypted and by TLS only.

    Args:
        consumer_timeout: of the function that reads; a message stays hidden six times as long (AWS's rule).
        max_receives: tries before a message goes to the dead letters, which are kept for two weeks.
        retention: of a message nobody has read.
        key: the stage's; None: SQS's own.
    """
    encryption = sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED
    dead_letters = sqs.Queue(
        scope,
        "DeadLetters",
        encryption=encryption,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    queue = sqs.Queue(
        scope,
        "Queue",
        encryption=encryption,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=retention,
        visibility_timeout=Duration.seconds(6 * consumer_timeout.to_seconds()),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=max_receives),
    )
    return QueuePair(queue, dead_letters)

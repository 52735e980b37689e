"""A queue that a function reads, with its dead-letter queue."""

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
    """`Queue` and `DeadLetters` below `scope`, encrypted and only reachable by TLS.

    Args:
        consumer_timeout: time-out of the function that reads it; a message stays hidden six times as long (AWS's rule).
        max_receives: attempts before a message goes to the dead-letter queue, which keeps it for two weeks.
        retention: how long an unread message is kept.
        key: the stage's key; None: SQS's own.
    """
    dead_letters = add_dead_letters(scope, key=key)
    queue = sqs.Queue(
        scope,
        "Queue",
        encryption=_encryption(key),
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=retention,
        visibility_timeout=Duration.seconds(6 * consumer_timeout.to_seconds()),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=max_receives),
    )
    return QueuePair(queue, dead_letters)


def add_dead_letters(scope: Construct, *, key: kms.IKey | None) -> sqs.Queue:
    """`DeadLetters` below `scope`: what could not be processed, for two weeks."""
    return sqs.Queue(
        scope,
        "DeadLetters",
        encryption=_encryption(key),
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )


def _encryption(key: kms.IKey | None) -> sqs.QueueEncryption:
    return sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED

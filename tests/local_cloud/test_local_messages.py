"""Dead letters of the local cloud's queues go back by SQS's message move tasks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.local_cloud.tiny_stack import Tiny

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


@dataclass(frozen=True)
class Pair:
    """A queue whose messages are given up when they were received once, and their queue."""

    sqs: "SQSClient"
    url: str
    dead_url: str

    def arn(self, url: str) -> str:
        told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return told["Attributes"]["QueueArn"]

    def take(self, url: str) -> list["MessageTypeDef"]:
        """What waits; it may be taken again at once."""
        answer = self.sqs.receive_message(
            QueueUrl=url, VisibilityTimeout=0, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return answer.get("Messages", [])

    def bury(self, *bodies: str) -> list["MessageTypeDef"]:
        """The messages as they are among the dead letters."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)
        assert len(self.take(self.url)) == len(bodies)
        assert self.take(self.url) == []
        return self.take(self.dead_url)


@pytest.fixture
def pair(shared: Tiny) -> Iterator[Pair]:
    sqs = shared.sqs
    dead_url = sqs.create_queue(QueueName="given-up")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName="worked", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    yield Pair(sqs, url, dead_url)
    for each in (url, dead_url):
        sqs.delete_queue(QueueUrl=each)


@pytest.mark.parametrize("named", [True, False], ids=["to a queue that is named", "to where they came from"])
def test_dead_letters_go_back_as_new_messages(pair: Pair, named: bool) -> None:
    dead = pair.bury("one", "two")
    destination = {"DestinationArn": pair.arn(pair.url)} if named else {}

    pair.sqs.start_message_move_task(SourceArn=pair.arn(pair.dead_url), **destination)  # type: ignore[arg-type]

    (task,) = pair.sqs.list_message_move_tasks(SourceArn=pair.arn(pair.dead_url))["Results"]
    back = pair.take(pair.url)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 2)
    assert [message["Body"] for message in back] == ["one", "two"]
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in back} == {"1"}
    assert not {message["MessageId"] for message in back} & {message["MessageId"] for message in dead}
    assert pair.take(pair.dead_url) == []


def test_a_message_that_knows_no_queue_stays_and_the_task_says_so(pair: Pair) -> None:
    pair.sqs.send_message(QueueUrl=pair.dead_url, MessageBody="put here by hand")

    pair.sqs.start_message_move_task(SourceArn=pair.arn(pair.dead_url))

    (task,) = pair.sqs.list_message_move_tasks(SourceArn=pair.arn(pair.dead_url))["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("FAILED", 0)
    assert len(pair.take(pair.dead_url)) == 1


def test_only_dead_letters_of_queues_that_are_there_are_moved(pair: Pair) -> None:
    worked, dead = pair.arn(pair.url), pair.arn(pair.dead_url)

    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        pair.sqs.start_message_move_task(SourceArn=worked)
    with pytest.raises(ClientError, match="SourceArn parameter doesn't exist"):
        pair.sqs.start_message_move_task(SourceArn=f"{dead}-gone")
    with pytest.raises(ClientError, match="DestinationArn parameter doesn't exist"):
        pair.sqs.start_message_move_task(SourceArn=dead, DestinationArn=f"{worked}-gone")

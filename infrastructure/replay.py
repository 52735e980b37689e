"""`make replay`: returns a stage's dead letters to the queues whose functions could not process them."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infrastructure.config import ConfigError, StageConfig
from infrastructure.deployed import HOW_TO_GIVE_ONE, NO_ACCOUNT, ClientOf, clients_of, session_here, stack_resources

EVENTS = "events"
QUEUES = {EVENTS: "Events", "webhooks": "WebhookQueues"}
"""Each queue's name on the command line, and the construct that it belongs to."""
LOOK_SECONDS = 1.0


class ReplayError(Exception):
    """Dead letters could not be returned; has SQS's reason."""


@dataclass(frozen=True)
class Line:
    """A queue and its dead letters."""

    name: str
    arn: str
    dead_letters_arn: str
    waiting: int
    """Number of its dead letters."""


@dataclass(frozen=True)
class Replay:
    """Replays the dead letters of one stage."""

    config: StageConfig
    client: ClientOf
    say: Callable[[str], None] = print
    sleep: Callable[[float], None] = time.sleep

    def run(self, names: tuple[str, ...] = tuple(QUEUES)) -> int:
        """Move the dead letters of the queues with these names (keys of QUEUES); returns how many were moved.

        Raises:
            ReplayError: SQS stopped before all were moved.
            ClientError, BotoCoreError: AWS refused; run it again to continue.
        """
        total = self._replay_events() if EVENTS in names else 0
        for line in [line for line in self._lines() if line.name in names]:
            if line.waiting == 0:
                self.say(f"{line.name}: no dead letters")
                continue
            # Named explicitly, because messages that SNS could not deliver do not know their queue.
            self.client("sqs").start_message_move_task(SourceArn=line.dead_letters_arn, DestinationArn=line.arn)
            moved = self._follow(line)
            self.say(f"{line.name}: returned {moved} to {line.arn.rpartition(':')[2]}")
            total += moved
        return total

    def _replay_events(self) -> int:
        """Start the function again for each message of the endpoint that it could not process; returns how many.

        Between the topics and this function is no queue: Lambda's own has no way back.
        """
        sqs, functions = self.client("sqs"), self.client("lambda")
        resources = stack_resources(self.client, self.config.stack_name)

        def named(kind: str, part: str) -> str:
            return next(
                str(each["PhysicalResourceId"])
                for each in resources
                if each["ResourceType"] == kind and part in each["LogicalResourceId"]
            )

        url = named("AWS::SQS::Queue", "EventsDeadLetters")
        function = named("AWS::Lambda::Function", "JobEvents")
        total = 0
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()):
            for message in messages:
                event = json.dumps(event_of(message["Body"])).encode()
                functions.invoke(FunctionName=function, InvocationType="Event", Payload=event)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            total += len(messages)
        self.say(f"{EVENTS}: returned {total} to {function}" if total else f"{EVENTS}: no dead letters")
        return total

    def _lines(self) -> Iterator[Line]:
        sqs = self.client("sqs")
        for resource in stack_resources(self.client, self.config.stack_name):
            if resource["ResourceType"] != "AWS::SQS::Queue":
                continue
            told = sqs.get_queue_attributes(QueueUrl=resource["PhysicalResourceId"], AttributeNames=["All"])
            attributes = told["Attributes"]
            if "RedrivePolicy" not in attributes:
                continue
            name = next(name for name, construct in QUEUES.items() if construct in resource["LogicalResourceId"])
            source = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
            yield Line(name, attributes["QueueArn"], source, self._waiting(source))

    def _waiting(self, arn: str) -> int:
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        asked = "ApproximateNumberOfMessages"
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[asked])["Attributes"][asked])

    def _follow(self, line: Line) -> int:
        """Wait for the newest move of a queue's dead letters; returns how many were moved."""
        while True:
            (task,) = self.client("sqs").list_message_move_tasks(SourceArn=line.dead_letters_arn, MaxResults=1)[
                "Results"
            ]
            moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
            if task["Status"] == "COMPLETED":
                return moved
            if task["Status"] != "RUNNING":
                reason = task.get("FailureReason", "no reason given")
                raise ReplayError(f"{line.name}: {task['Status']} after {moved} messages: {reason}")
            self.sleep(LOOK_SECONDS)


def event_of(body: str) -> dict[str, Any]:
    """The event that a dead letter of the endpoint's messages was: Lambda wraps it, SNS leaves its own envelope."""
    letter: dict[str, Any] = json.loads(body)
    if "requestPayload" in letter:
        return dict(letter["requestPayload"])
    return {"Records": [{"EventSource": "aws:sns", "Sns": letter}]}


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 if all were moved, 1 with the reason if not, 2 for an invalid stage."""
    parser = argparse.ArgumentParser(prog="make replay", description=__doc__)
    parser.add_argument("--stage", default="", help="as deployed; empty for the only one")
    parser.add_argument("--queue", choices=tuple(QUEUES), help="only this queue")
    chosen = parser.parse_args(arguments)
    try:
        config = StageConfig.from_context({"stage": chosen.stage})
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        Replay(config, clients_of(session_here())).run((chosen.queue,) if chosen.queue else tuple(QUEUES))
    except NO_ACCOUNT as error:
        print(f"{error}{HOW_TO_GIVE_ONE}", file=sys.stderr)
        return 2
    except (ReplayError, ClientError, BotoCoreError) as error:
        print(f"{error}\nRun it again to continue.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Replaces AWS between the webhook queue and its function, so that the function's code can post to this machine.

The deployed function may post to public addresses only. Here its code runs with the same guard, but with another list
of public addresses and with delays of seconds instead of hours.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.fetching.safe_fetch import SafeFetch
from lambdas.assembly.accounts import Accounts
from lambdas.aws.clients import Clients
from lambdas.functions.webhook_times import MAX_ATTEMPTS
from lambdas.functions.webhooks import Webhooks, handle_batch
from lambdas.settings import WebhookSettings
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud

BACK_OFF = (1,) * (MAX_ATTEMPTS - 1)
"""Delays in seconds, for the usual number of attempts."""
HIDDEN_SECONDS = 40
"""How long a message stays hidden during its delivery: longer than an attempt may take."""
POLL_SECONDS = 2
PAUSE_SECONDS = 0.5
THREADS = 4
"""Number of threads; a silent receiver blocks one for ten seconds."""


@dataclass(frozen=True)
class Deliveries:
    """The function's work; several threads `run` it."""

    webhooks: Webhooks
    sqs: Any
    queue_url: str

    def run(self, stopped: threading.Event) -> None:
        """Deliver waiting messages until `stopped`, even while the cloud is down."""
        while not stopped.is_set():
            try:
                self.step()
            except (ClientError, BotoCoreError):
                # The cloud is down, or was when a message should have been deleted, which then comes again.
                stopped.wait(PAUSE_SECONDS)

    def step(self) -> None:
        """Wait briefly for a message and deliver it.

        Raises:
            ClientError, BotoCoreError: the cloud failed.
        """
        answer = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=POLL_SECONDS,
        )
        for message in answer.get("Messages", ()):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            told = handle_batch(self.webhooks, {"Records": [record]}, client=self.sqs, queue_url=self.queue_url)
            if not told["batchItemFailures"]:
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def delivering(deliveries: Deliveries) -> Iterator[None]:
    """Deliver messages during the block."""
    stopped = threading.Event()
    threads = [threading.Thread(target=deliveries.run, args=(stopped,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def take_over(cloud: LocalCloud, poster: SafeFetch) -> Deliveries:
    """Replace the deployed function, now and after every restart, by one that posts with `poster`."""
    aws = LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region)
    functions: Any = aws.client("lambda")  # type: ignore[call-overload]
    name = next(
        function["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["Handler"] == "lambdas.functions.webhooks.handler"
    )
    for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    settings, sqs = WebhookSettings.from_environment(variables), aws.client("sqs")
    clients = Clients(
        dynamodb=aws.client("dynamodb"),
        s3=aws.client("s3"),
        sqs=sqs,
        sagemaker=aws.client("sagemaker"),
        sagemaker_runtime=aws.client("sagemaker-runtime"),
        functions=functions,
    )
    webhooks = Webhooks.of(Accounts(clients, settings), poster=poster, back_off=BACK_OFF)
    return Deliveries(webhooks, sqs, settings.WEBHOOK_QUEUE_URL)

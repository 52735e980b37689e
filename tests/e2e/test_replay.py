"""`make replay` on the local cloud: what ended among the dead letters is worked off, once in effect."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.webhooks import Webhook
from infrastructure.config import StageConfig
from infrastructure.replay import Replay
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.patience import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

GIVE_UP_SECONDS = 240
JOB_EVENTS = "lambdas.functions.job_events.handler"
PARAMS = {"prompt": "the red cat", "steps": 1, "width": 64, "height": 64}


def a_client(clients: LocalClients, service: str) -> Any:
    """Any client, by a name that is only known at run time."""
    return clients.client(service)  # type: ignore[call-overload]


class Queue:
    """A deployed queue, the function that reads it, and its dead letters."""

    def __init__(self, clients: LocalClients, handler: str) -> None:
        self.functions, self.sqs = a_client(clients, "lambda"), clients.client("sqs")
        pages = self.functions.get_paginator("list_functions").paginate()
        function = next(one for page in pages for one in page["Functions"] if one["Handler"] == handler)
        (self.mapping,) = self.functions.list_event_source_mappings(FunctionName=function["FunctionName"])[
            "EventSourceMappings"
        ]
        self.url = self._url(self.mapping["EventSourceArn"])
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])["Attributes"]
        self.dead_url = self._url(json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"])

    @contextmanager
    def without_its_function(self) -> Iterator[None]:
        """As if the function failed at everything."""
        self.functions.update_event_source_mapping(UUID=self.mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            self.functions.update_event_source_mapping(UUID=self.mapping["UUID"], Enabled=True)

    def bury(self, text: str) -> None:
        """Take what waits as often as the queue allows, until the message with `text` is among the dead letters."""

        def is_dead() -> bool:
            self._bodies(self.url)
            return any(text in body for body in self.dead())

        wait_for(is_dead, f"the end of the message about {text}", seconds=GIVE_UP_SECONDS, every=0.1)

    def dead(self) -> list[str]:
        return self._bodies(self.dead_url)

    def _url(self, arn: str) -> str:
        return self.sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]

    def _bodies(self, url: str) -> list[str]:
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", ())]


class Topics:
    """The function that the endpoint's topics start, and its dead letters."""

    def __init__(self, clients: LocalClients) -> None:
        self.functions, self.sqs = a_client(clients, "lambda"), clients.client("sqs")
        pages = self.functions.get_paginator("list_functions").paginate()
        (self.function,) = [
            one["FunctionName"] for page in pages for one in page["Functions"] if one["Handler"] == JOB_EVENTS
        ]
        asked = {"FunctionName": self.function, "Qualifier": "$LATEST"}
        destination = self.functions.get_function_event_invoke_config(**asked)["DestinationConfig"]["OnFailure"]
        name = destination["Destination"].rpartition(":")[2]
        self.dead_url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    @contextmanager
    def while_it_fails(self) -> Iterator[None]:
        self.functions.update_function_configuration(FunctionName=self.function, Handler=f"{JOB_EVENTS}.nothing")
        try:
            yield
        finally:
            self.functions.update_function_configuration(FunctionName=self.function, Handler=JOB_EVENTS)

    def bury(self, text: str) -> None:
        """Wait until the message with `text` is among the dead letters, after all its tries."""
        wait_for(
            lambda: any(text in body for body in self.dead()),
            f"the end of the message about {text}", seconds=GIVE_UP_SECONDS, every=0.1,
        )  # fmt: skip

    def dead(self) -> list[str]:
        answer = self.sqs.receive_message(QueueUrl=self.dead_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", ())]


def test_dead_letters_of_both_queues_are_worked_off_after_the_command(
    local_cloud: LocalCloud, service: GenerateOnCloud
) -> None:
    clients = LocalClients(local_cloud.endpoint_url, local_cloud.root, region=local_cloud.settings.region)
    events, webhooks = Topics(clients), Queue(clients, "lambdas.functions.webhooks.handler")
    headers, said = {"x-api-key": local_cloud.admin_key}, list[str]()
    replay = Replay(StageConfig(), partial(a_client, clients), said.append)
    httpx.post(f"{local_cloud.api_url}/v1/me/webhook-secret", json={}, headers=headers, timeout=60).raise_for_status()
    webhook = Webhook(url="https://localhost/hook")

    with webhooks.without_its_function():
        with events.while_it_fails():
            job = service.jobs.submit(
                CreateJob(task=Task.TXT2IMG, params=PARAMS, checkpoint=CHECKPOINT, webhook=webhook)
            )
            events.bury(job.job_id)
        replay.run(("events",))
        ended = service.jobs.finish(job.job_id)
        webhooks.bury(job.job_id)
    replay.run()

    def deliveries() -> Any:
        url = f"{local_cloud.api_url}/v1/jobs/{job.job_id}/deliveries"
        return httpx.get(url, headers=headers, timeout=60).raise_for_status().json()["deliveries"]

    (delivery,) = wait_for(deliveries, "the webhook", seconds=GIVE_UP_SECONDS, every=0.1)
    assert ended.status is JobStatus.SUCCEEDED
    # Nobody may be asked at this address, so the first attempt is the last; but it was made, and it is the first again.
    assert (delivery["attempt"], delivery["outcome"]) == (1, "given_up")
    assert (events.dead(), webhooks.dead()) == ([], [])
    assert re.fullmatch(r"events: returned [1-9]\d* to \S+", said[0])
    assert re.fullmatch(r"webhooks: returned 1 to \S+", said[-1])

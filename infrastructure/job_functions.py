"""The functions that finish jobs: for the endpoint's messages, for lost jobs, and for webhooks."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.endpoint_grants import EndpointGrants
from infrastructure.events import Events
from infrastructure.function_maker import FunctionMaker
from infrastructure.permissions import BucketGrant, Grant, TableGrant
from infrastructure.storage import Storage
from infrastructure.webhooks import WEBHOOKS_TIMEOUT
from lambdas.jobs.lists import OPEN, index_name
from lambdas.settings import JobEventsSettings, SweeperSettings, WebhookSettings

QUEUE_READERS: Final = 2
"""Executions that read a queue at once, the least AWS allows: a long queue leaves some of the account's to the API."""


def add_job_functions(
    scope: Construct,
    maker: FunctionMaker,
    *,
    config: StageConfig,
    storage: Storage,
    events_: Events,
    webhook_queue: sqs.Queue,
    dead_letters: Sequence[sqs.Queue],
    endpoint_grants: EndpointGrants,
) -> None:
    """Job events, the sweeper that runs every minute, and webhooks."""
    jobs, access = storage.jobs_table, storage.access_table
    outcomes = {"endpoint-output/": ["GetObject"], "endpoint-failure/": ["GetObject"]}

    settling: list[TableGrant | Grant] = [
        TableGrant(access, ["UpdateItem"], keys=["load#*", "usage#*", "endpoint_load#*"]),
        Grant(["sqs:SendMessage"], [webhook_queue.queue_arn]),
    ]
    job_events = maker.make(
        "JobEvents",
        handler="lambdas.functions.job_events.handler",
        memory_megabytes=512,
        timeout=Duration.seconds(30),
        settings=JobEventsSettings(
            JOBS_TABLE=jobs.table_name,
            ACCESS_TABLE=access.table_name,
            JOBS_BUCKET=storage.jobs_bucket.bucket_name,
            WEBHOOK_QUEUE_URL=webhook_queue.queue_url,
            STACK_NAME=config.stack_name,
        ),
        grants=[
            TableGrant(jobs, ["GetItem", "UpdateItem"]),
            BucketGrant(storage.jobs_bucket, outcomes),
            endpoint_grants.sending_again,
            Grant(["sqs:SendMessage"], [events_.dead_letters.queue_arn]),
            *settling,
        ],
    )
    events_.start(job_events)

    sweeper = maker.make(
        "Sweeper",
        handler="lambdas.functions.sweeper.handler",
        memory_megabytes=256,
        timeout=Duration.seconds(55),
        settings=SweeperSettings(
            JOBS_TABLE=jobs.table_name,
            ACCESS_TABLE=access.table_name,
            JOBS_BUCKET=storage.jobs_bucket.bucket_name,
            WEBHOOK_QUEUE_URL=webhook_queue.queue_url,
            STACK_NAME=config.stack_name,
            ENDPOINT_NAME=config.default_endpoint,
            DEAD_LETTER_QUEUES=",".join(queue.queue_url for queue in dead_letters),
            OLDEST_JOB_MINUTES=config.oldest_job_minutes,
        ),
        grants=[
            TableGrant(jobs, ["BatchGetItem", "UpdateItem"], [index_name([OPEN])]),
            BucketGrant(storage.jobs_bucket, {**outcomes, "jobs/": ["GetObject"]}),
            *endpoint_grants.sending,
            Grant(["sqs:GetQueueAttributes"], [queue.queue_arn for queue in dead_letters]),
            *settling,
        ],
    )
    events.Rule(
        scope,
        "EachMinute",
        description="Finds lost events, dead workers and expired jobs.",
        schedule=events.Schedule.rate(Duration.minutes(1)),
        # The next minute sweeps again; a late retry would only run at the same time.
        targets=[targets.LambdaFunction(sweeper, retry_attempts=0)],
    )

    webhooks = maker.make(
        "Webhooks",
        handler="lambdas.functions.webhooks.handler",
        memory_megabytes=256,
        timeout=WEBHOOKS_TIMEOUT,
        settings=WebhookSettings(
            JOBS_TABLE=jobs.table_name, ACCESS_TABLE=access.table_name, WEBHOOK_QUEUE_URL=webhook_queue.queue_url
        ),
        grants=[
            TableGrant(jobs, ["GetItem", "UpdateItem"]),
            TableGrant(access, ["GetItem"], keys=["user#*"]),
            Grant(["sqs:ChangeMessageVisibility"], [webhook_queue.queue_arn]),
        ],
    )
    webhooks.add_event_source(
        # One at a time, so that a slow receiver does not keep other messages hidden and waiting.
        event_sources.SqsEventSource(
            webhook_queue, batch_size=1, report_batch_item_failures=True, max_concurrency=QUEUE_READERS
        )
    )

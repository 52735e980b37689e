"""The Lambda functions: one row each for handler, memory, time-out, environment and permissions."""

from collections.abc import Sequence
from typing import Final, cast

from aws_cdk import CfnCustomResource, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.endpoint_grants import EndpointGrants
from infrastructure.events import Events
from infrastructure.findings import acknowledge
from infrastructure.logs import add_log_group
from infrastructure.permissions import BucketGrant, Grant, TableGrant, grant_all
from infrastructure.storage import Storage
from infrastructure.webhooks import WEBHOOKS_TIMEOUT, WebhookQueues
from lambdas.settings import (
    ApiSettings,
    AssetImportSettings,
    AssetInspectionSettings,
    EndpointKeeperSettings,
    FirstKeySettings,
    FunctionSettings,
    JobEventsSettings,
    SweeperSettings,
    WebhookSettings,
)

JOB_EVENTS_TIMEOUT: Final = Duration.seconds(30)
LONGEST: Final = Duration.minutes(15)
"""AWS lets no function run longer."""


class Functions(Construct):
    """All functions; they share one bundle."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: lambda_.Code,
        version: str,
        storage: Storage,
        events_: Events,
        container_role: iam.Role,
    ) -> None:
        super().__init__(scope, construct_id)
        self.named: dict[str, lambda_.Function] = {}
        self._config = config
        self._code = code
        acknowledge(self, "L1", "python3.13 is the runtime the bundle's wheels and byte code are built for")
        self.webhook_queues = WebhookQueues(self, "WebhookQueues")
        jobs, assets, access = storage.jobs_table, storage.assets_table, storage.access_table
        outcomes = {"endpoint-output/": ["GetObject"], "endpoint-failure/": ["GetObject"]}

        webhook_queue = self.webhook_queues.queue
        settling: list[TableGrant | Grant] = [
            TableGrant(access, ["UpdateItem"]),
            Grant(["sqs:SendMessage"], [webhook_queue.queue_arn]),
        ]
        endpoint_grants = EndpointGrants(self, config=config, container_role=container_role)
        uploads = BucketGrant(
            storage.assets_bucket,
            {
                "assets/": [
                    "AbortMultipartUpload",
                    "DeleteObject",
                    "GetObject",
                    "ListMultipartUploadParts",
                    "PutObject",
                ]
            },
        )
        asset_rows = ["DeleteItem", "GetItem", "UpdateItem"]

        self.asset_inspection = self._function(
            "AssetInspection",
            handler="lambdas.asset_inspection.handler",
            memory_megabytes=1769,  # a whole processor: it hashes as fast as storage gives
            timeout=LONGEST,
            settings=AssetInspectionSettings(
                ASSETS_TABLE=assets.table_name, ASSETS_BUCKET=storage.assets_bucket.bucket_name
            ),
            grants=[
                TableGrant(assets, asset_rows, ["working-created_at"]),
                BucketGrant(storage.assets_bucket, {"assets/": ["AbortMultipartUpload", "DeleteObject", "GetObject"]}),
            ],
        )
        events.Rule(
            self,
            "EachQuarterHour",
            description="Ends uploads, imports and inspections that nobody else will.",
            schedule=events.Schedule.rate(Duration.minutes(15)),
            targets=[
                targets.LambdaFunction(
                    self.asset_inspection, event=events.RuleTargetInput.from_object({}), retry_attempts=0
                )
            ],
        )
        self.asset_import = self._function(
            "AssetImport",
            handler="lambdas.asset_import.handler",
            memory_megabytes=1024,
            timeout=LONGEST,
            settings=AssetImportSettings(
                ASSETS_TABLE=assets.table_name,
                ASSETS_BUCKET=storage.assets_bucket.bucket_name,
                INSPECTION_FUNCTION=self.asset_inspection.function_name,
            ),
            grants=[
                TableGrant(assets, asset_rows),
                uploads,
                Grant(["lambda:InvokeFunction"], [self.asset_inspection.function_arn]),
            ],
        )
        # Not in the role's own policy, which the function waits for.
        iam.Policy(
            self,
            "AssetImportGoesOn",
            roles=[cast("iam.Role", self.asset_import.role)],
            statements=[
                iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[self.asset_import.function_arn])
            ],
        )

        self.endpoint_keeper = self._endpoint_keeper(storage.endpoints_table, endpoint_grants)

        self.api = self._function(
            "Api",
            handler="lambdas.api.handler.handler",
            memory_megabytes=1024,
            timeout=Duration.seconds(29),
            settings=ApiSettings(
                JOBS_TABLE=jobs.table_name,
                ASSETS_TABLE=assets.table_name,
                ACCESS_TABLE=access.table_name,
                JOBS_BUCKET=storage.jobs_bucket.bucket_name,
                ASSETS_BUCKET=storage.assets_bucket.bucket_name,
                ENDPOINTS_TABLE=storage.endpoints_table.table_name,
                ENDPOINT_NAME=config.default_endpoint,
                ENDPOINT_PREFIX=config.endpoint_prefix,
                ENDPOINT_KEEPER_FUNCTION=self.endpoint_keeper.function_name,
                SERVICE_VERSION=version,
                JOB_RETENTION_DAYS=config.job_retention_days,
                INSPECTION_FUNCTION=self.asset_inspection.function_name,
                IMPORT_FUNCTION=self.asset_import.function_name,
                WEBHOOK_QUEUE_URL=webhook_queue.queue_url,
                GPU_PRICE_PER_HOUR=config.price_per_hour / config.workers,
            ),
            grants=[
                TableGrant(
                    jobs,
                    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    ["open-created_at", "owner-created_at", "owner_state-created_at", "owner_task-created_at"],
                ),
                TableGrant(
                    assets,
                    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    ["listed-type_name", "sha256-created_at", "type-name"],
                ),
                TableGrant(
                    access, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"], ["listing-place"]
                ),
                BucketGrant(
                    storage.jobs_bucket,
                    {"jobs/": ["DeleteObject", "GetObject", "PutObject"], "inputs/": ["GetObject", "PutObject"]},
                ),
                BucketGrant(
                    storage.jobs_bucket,
                    {"endpoint-output/": ["DeleteObject", "GetObject"], "endpoint-failure/": ["DeleteObject"]},
                    list_objects=False,
                ),
                uploads,
                Grant(
                    ["lambda:InvokeFunction"],
                    [
                        self.asset_inspection.function_arn,
                        self.asset_import.function_arn,
                        self.endpoint_keeper.function_arn,
                    ],
                ),
                TableGrant(storage.endpoints_table, ["GetItem", "PutItem", "UpdateItem"], ["listed-endpoint"]),
                *endpoint_grants.sending,
                *endpoint_grants.making,
                Grant(["sqs:SendMessage"], [webhook_queue.queue_arn]),
            ],
        )

        self.job_events = self._function(
            "JobEvents",
            handler="lambdas.job_events.handler",
            memory_megabytes=512,
            timeout=JOB_EVENTS_TIMEOUT,
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
                *settling,
            ],
        )
        self.job_events.add_event_source(
            event_sources.SqsEventSource(events_.queue, batch_size=10, report_batch_item_failures=True)
        )

        self.sweeper = self._function(
            "Sweeper",
            handler="lambdas.sweeper.handler",
            memory_megabytes=512,
            timeout=Duration.seconds(55),
            settings=SweeperSettings(
                JOBS_TABLE=jobs.table_name,
                ACCESS_TABLE=access.table_name,
                JOBS_BUCKET=storage.jobs_bucket.bucket_name,
                WEBHOOK_QUEUE_URL=webhook_queue.queue_url,
                STACK_NAME=config.stack_name,
            ),
            grants=[
                TableGrant(jobs, ["BatchGetItem", "UpdateItem"], ["open-created_at"]),
                BucketGrant(storage.jobs_bucket, {**outcomes, "jobs/": ["GetObject"]}),
                endpoint_grants.sending_again,
                *settling,
            ],
        )
        events.Rule(
            self,
            "EachMinute",
            description="Finds lost events, dead workers and expired jobs.",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            # The next minute sweeps again: a late retry would only run beside it.
            targets=[targets.LambdaFunction(self.sweeper, retry_attempts=0)],
        )

        self.webhooks = self._function(
            "Webhooks",
            handler="lambdas.webhooks.handler",
            memory_megabytes=256,
            timeout=WEBHOOKS_TIMEOUT,
            settings=WebhookSettings(
                JOBS_TABLE=jobs.table_name, ACCESS_TABLE=access.table_name, WEBHOOK_QUEUE_URL=webhook_queue.queue_url
            ),
            grants=[
                TableGrant(jobs, ["GetItem", "UpdateItem"]),
                TableGrant(access, ["GetItem"]),
                Grant(["sqs:ChangeMessageVisibility"], [webhook_queue.queue_arn]),
            ],
        )
        self.webhooks.add_event_source(
            # One at a time: a slow receiver keeps nobody else's message hidden, waiting for its turn.
            event_sources.SqsEventSource(webhook_queue, batch_size=1, report_batch_item_failures=True)
        )

        self.admin_key_arn = self._first_key(storage)

    def _endpoint_keeper(self, table: dynamodb.Table, grants: EndpointGrants) -> lambda_.Function:
        """Looks after the endpoints made by the API, when SageMaker tells of one and each minute."""
        function = self._function(
            "EndpointKeeper",
            handler="lambdas.endpoint_keeper.handler",
            memory_megabytes=256,
            timeout=Duration.seconds(55),
            settings=EndpointKeeperSettings(ENDPOINTS_TABLE=table.table_name),
            grants=[TableGrant(table, ["DeleteItem", "GetItem", "UpdateItem"], ["listed-endpoint"]), *grants.keeping],
        )
        events.Rule(
            self,
            "EndpointChanges",
            description="Keeps the records of endpoints true.",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Endpoint State Change"],
                detail={"EndpointName": events.Match.prefix(self._config.endpoint_prefix)},
            ),
            targets=[targets.LambdaFunction(function, retry_attempts=2)],
        )
        events.Rule(
            self,
            "EndpointsEachMinute",
            description="Makes good what an event missed, and goes on with deletions.",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(function, event=events.RuleTargetInput.from_object({}), retry_attempts=0)],
        )
        return function

    def _first_key(self, storage: Storage) -> str:
        """The custom resource that makes the admin key; the ARN of the secret that holds it."""
        secret = secretsmanager.Secret(self, "AdminKey", description="First admin key of the API (header x-api-key).")
        acknowledge(secret, "SMG4", "an API key its owner hands on; it is replaced through the API, not on a schedule")
        # `Id`, not `Ref`: both are the ARN on AWS, the emulator's `Ref` is the name.
        arn = cast("secretsmanager.CfnSecret", secret.node.default_child).attr_id
        function = self._function(
            "FirstKey",
            handler="lambdas.first_key.handler",
            memory_megabytes=256,
            timeout=Duration.seconds(60),
            settings=FirstKeySettings(ACCESS_TABLE=storage.access_table.table_name, SECRET_ARN=arn),
            grants=[
                TableGrant(storage.access_table, ["PutItem", "UpdateItem"]),
                Grant(["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"], [arn]),
            ],
        )
        CfnCustomResource(self, "FirstKey", service_token=function.function_arn, service_timeout=300)
        return arn

    def _function(
        self,
        name: str,
        *,
        handler: str,
        memory_megabytes: int,
        timeout: Duration,
        settings: FunctionSettings,
        grants: Sequence[TableGrant | BucketGrant | Grant],
    ) -> lambda_.Function:
        log_group = add_log_group(self, f"{name}Log", config=self._config)
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        grant_all(role, grants)
        function = lambda_.Function(
            self,
            f"{name}Function",
            code=self._code,
            handler=handler,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_megabytes,
            timeout=timeout,
            environment=settings.environment(),
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
        )
        self.named[name] = function
        return function

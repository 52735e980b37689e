"""The Lambda functions: one row each for handler, memory, time-out, environment and permissions."""

from collections.abc import Sequence
from typing import Final, cast

from aws_cdk import CfnCustomResource, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.events import Events
from infrastructure.findings import acknowledge
from infrastructure.logs import add_log_group
from infrastructure.permissions import BucketGrant, Grant, TableGrant, grant_all
from infrastructure.storage import Storage
from lambdas.settings import ApiSettings, FirstKeySettings, FunctionSettings, JobEventsSettings, SweeperSettings

JOB_EVENTS_TIMEOUT: Final = Duration.seconds(30)


class Functions(Construct):
    """api, job_events, sweeper and first_key; they share one bundle."""

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
    ) -> None:
        super().__init__(scope, construct_id)
        self.named: dict[str, lambda_.Function] = {}
        self._config = config
        self._code = code
        acknowledge(self, "L1", "python3.13 is the runtime the bundle's wheels and byte code are built for")
        jobs, assets, access = storage.jobs_table, storage.assets_table, storage.access_table
        outcomes = BucketGrant(
            storage.jobs_bucket,
            {"endpoint-output/": ["GetObject"], "endpoint-failure/": ["GetObject"], "jobs/": ["GetObject"]},
        )

        endpoint = Stack.of(self).format_arn(
            service="sagemaker", resource="endpoint", resource_name=config.default_endpoint
        )

        sending = Grant(["sagemaker:InvokeEndpointAsync", "sagemaker:DescribeEndpoint"], [endpoint])

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
                ENDPOINT_NAME=config.default_endpoint,
                SERVICE_VERSION=version,
                JOB_RETENTION_DAYS=config.job_retention_days,
            ),
            grants=[
                TableGrant(
                    jobs,
                    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    ["open-created_at", "owner-created_at", "owner_state-created_at", "owner_task-created_at"],
                ),
                TableGrant(
                    assets,
                    ["BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    ["type-name"],
                ),
                TableGrant(
                    access, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"], ["listing-place"]
                ),
                BucketGrant(storage.jobs_bucket, {"jobs/": ["DeleteObject", "GetObject", "PutObject"]}),
                BucketGrant(
                    storage.jobs_bucket,
                    {"endpoint-output/": ["DeleteObject", "GetObject"], "endpoint-failure/": ["DeleteObject"]},
                    list_objects=False,
                ),
                BucketGrant(
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
                ),
                sending,
            ],
        )

        self.job_events = self._function(
            "JobEvents",
            handler="lambdas.job_events.handler",
            memory_megabytes=512,
            timeout=JOB_EVENTS_TIMEOUT,
            settings=JobEventsSettings(
                JOBS_TABLE=jobs.table_name, JOBS_BUCKET=storage.jobs_bucket.bucket_name, STACK_NAME=config.stack_name
            ),
            grants=[TableGrant(jobs, ["GetItem", "UpdateItem"]), outcomes, sending],
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
                JOBS_TABLE=jobs.table_name, JOBS_BUCKET=storage.jobs_bucket.bucket_name, STACK_NAME=config.stack_name
            ),
            grants=[
                TableGrant(jobs, ["BatchGetItem", "GetItem", "UpdateItem"], ["open-created_at"]),
                outcomes,
                sending,
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

        self.admin_key_arn = self._first_key(storage)

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

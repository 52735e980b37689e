"""All Lambda functions of a stage, including the API's, put together."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.asset_functions import AssetFunctions, add_asset_functions, upload_grant
from infrastructure.config import StageConfig
from infrastructure.console import add_console
from infrastructure.endpoint_grants import EndpointGrants
from infrastructure.endpoint_keeper import add_endpoint_keeper
from infrastructure.events import Events
from infrastructure.findings import acknowledge
from infrastructure.first_key import add_first_key
from infrastructure.function_maker import FunctionMaker
from infrastructure.job_functions import add_job_functions
from infrastructure.permissions import BucketGrant, Grant, TableGrant
from infrastructure.sdapi import add_sdapi
from infrastructure.storage import Storage
from infrastructure.webhooks import WebhookQueues
from lambdas.jobs.lists import JOB_LISTS, index_name
from lambdas.settings import ApiSettings


class Functions(Construct):
    """All functions; they share one bundle, and the console and WebUI's API have their own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: lambda_.Code,
        console_code: lambda_.Code,
        sdapi_code: lambda_.Code | None,
        version: str,
        storage: Storage,
        events_: Events,
        container_role: iam.Role,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._storage = storage
        self._maker = maker = FunctionMaker(self, config=config, code=code, key=key)
        self.named, self.log_groups = maker.named, maker.log_groups
        acknowledge(self, "L1", "the bundle's wheels and byte code are built for python3.13")
        self.webhook_queues = WebhookQueues(self, "WebhookQueues", key=key)
        self._endpoint_grants = EndpointGrants(self, config=config, container_role=container_role)
        asset_functions = add_asset_functions(self, maker, config=config, storage=storage)
        endpoint_keeper = add_endpoint_keeper(
            self,
            maker,
            config=config,
            table=storage.endpoints_table,
            access=storage.access_table,
            grants=self._endpoint_grants,
        )
        self.api = self._add_api(version=version, asset_functions=asset_functions, endpoint_keeper=endpoint_keeper)
        self.console = add_console(maker, code=console_code, storage=storage)
        self.sdapi = add_sdapi(maker, code=sdapi_code, api=self.api) if sdapi_code else None
        add_job_functions(
            self,
            maker,
            config=config,
            storage=storage,
            events_=events_,
            webhook_queue=self.webhook_queues.queue,
            dead_letters=[events_.dead_letters, self.webhook_queues.dead_letters],
            endpoint_grants=self._endpoint_grants,
        )
        self.admin_key_parameter = add_first_key(self, maker, config=config, access_table=storage.access_table, key=key)

    def _add_api(
        self, *, version: str, asset_functions: AssetFunctions, endpoint_keeper: lambda_.Function
    ) -> lambda_.Function:
        config, storage = self._config, self._storage
        jobs, assets, access = storage.jobs_table, storage.assets_table, storage.access_table
        webhook_queue = self.webhook_queues.queue
        return self._maker.make(
            "Api",
            handler="lambdas.api.handler.handler",
            # It mostly waits, for tables or, with ?wait=, for a job's end: what it holds meanwhile is what it costs.
            memory_megabytes=512,
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
                ENDPOINT_GPUS=config.max_instances * config.workers,
                MIN_INSTANCES=config.min_instances,
                IDLE_MINUTES=config.idle_minutes,
                ENDPOINT_KEEPER_FUNCTION=endpoint_keeper.function_name,
                SERVICE_VERSION=version,
                WAITING_REQUESTS=config.waiting_requests,
                KEY_REQUESTS_PER_MINUTE=config.key_requests_per_minute,
                JOB_RETENTION_DAYS=config.job_retention_days,
                DELETED_MODELS_DAYS=config.deleted_models_days,
                NONCOMMERCIAL_MODELS=config.noncommercial_models,
                INSPECTION_FUNCTION=asset_functions.inspection.function_name,
                IMPORT_FUNCTION=asset_functions.importing.function_name,
                WEBHOOK_QUEUE_URL=webhook_queue.queue_url,
                OTEL_EXPORTER_OTLP_ENDPOINT=config.otlp_endpoint or "",
                GPU_PRICE_PER_HOUR=config.price_per_hour / config.workers,
            ),
            grants=[
                TableGrant(
                    jobs,
                    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    [index_name(partition) for partition in JOB_LISTS],
                ),
                TableGrant(
                    assets,
                    ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    ["listed-type_name", "sha256-created_at", "type-name"],
                ),
                TableGrant(
                    access,
                    ["BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
                    ["listing-place"],
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
                upload_grant(storage),
                Grant(
                    ["lambda:InvokeFunction"],
                    [
                        asset_functions.inspection.function_arn,
                        asset_functions.importing.function_arn,
                        endpoint_keeper.function_arn,
                    ],
                ),
                TableGrant(
                    storage.endpoints_table,
                    ["ConditionCheckItem", "GetItem", "PutItem", "UpdateItem"],
                    ["listed-endpoint"],
                ),
                *self._endpoint_grants.sending,
                *self._endpoint_grants.making,
                Grant(["sqs:SendMessage"], [webhook_queue.queue_arn]),
            ],
        )

"""The core stack: constructs connected by keyword arguments and grants, and the outputs that others read."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infrastructure.api import ACCESS_LOG, Api
from infrastructure.config import StageConfig
from infrastructure.container import Container
from infrastructure.encryption import add_key
from infrastructure.events import Events
from infrastructure.functions import Functions
from infrastructure.handover import CoreValues
from infrastructure.kept_options import OPTIONS_ID, options_parameter, written
from infrastructure.storage import Storage


class GenerateOnCloudStack(Stack):
    """Storage, events, functions and API of one stage; it costs almost nothing while unused.

    Args:
        config: the stage's configuration.
        code: the Lambda bundle.
        console_code: the web console's bundle.
        sdapi_code: the bundle of WebUI's API; None: the stage does not answer it.
        version: the service's version, as the API reports it.
        given: the options that were asked for, kept in the account for the next deployment.
    """

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
        given: Mapping[str, str],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Generate on Cloud: img2img, inpaint, txt2img and interrogation as a service",
            # The template is over 51,200 bytes either way, so the CDK uploads it; this keeps it small.
            suppress_template_indentation=True,
        )
        self.key = key = add_key(self, config=config)
        self.storage = Storage(self, "Storage", config=config, key=key)
        self.events = Events(self, "Events", key=key)
        self.container = Container(self, "Container", config=config, storage=self.storage, events=self.events, key=key)
        self.functions = Functions(
            self,
            "Functions",
            config=config,
            code=code,
            console_code=console_code,
            sdapi_code=sdapi_code,
            version=version,
            storage=self.storage,
            events_=self.events,
            container_role=self.container.role,
            key=key,
        )
        self.api = Api(
            self,
            "Api",
            config=config,
            function=self.functions.api,
            console=self.functions.console,
            sdapi=self.functions.sdapi,
            key=key,
        )
        self.values = CoreValues(
            api_stage_arn=self.api.rest_api.deployment_stage.stage_arn,
            assets_bucket=self.storage.assets_bucket.bucket_name,
            container_role=self.container.role.role_name,
            error_topic_arn=self.events.error.topic_arn,
            functions={name: function.function_name for name, function in self.functions.named.items()},
            log_groups={
                **{name: group.log_group_name for name, group in self.functions.log_groups.items()},
                ACCESS_LOG: self.api.access_log.log_group_name,
            },
            jobs_bucket=self.storage.jobs_bucket.bucket_name,
            jobs_table=self.storage.jobs_table.table_name,
            key_arn=key.key_arn if key else None,
            queues={
                "EventsDeadLetters": self.events.dead_letters.queue_name,
                "WebhooksDeadLetters": self.functions.webhook_queues.dead_letters.queue_name,
            },
            success_topic_arn=self.events.success.topic_arn,
        )
        self.values.write(self, config)
        ssm.StringParameter(
            self, OPTIONS_ID, parameter_name=options_parameter(config.stack_name), string_value=written(given)
        )

        outputs = {
            "ApiUrl": self.api.rest_api.url,
            "ApiId": self.api.rest_api.rest_api_id,
            "AdminKeyParameter": self.functions.admin_key_parameter,
            "JobsTableName": self.storage.jobs_table.table_name,
            "AssetsTableName": self.storage.assets_table.table_name,
            "EndpointsTableName": self.storage.endpoints_table.table_name,
            "AccessTableName": self.storage.access_table.table_name,
            "JobsBucketName": self.storage.jobs_bucket.bucket_name,
            "AssetsBucketName": self.storage.assets_bucket.bucket_name,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)

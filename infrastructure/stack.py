"""The stack: constructs put together with keyword arguments and grants, and the outputs others read."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.api import Api
from infrastructure.config import StageConfig
from infrastructure.endpoint import Endpoint
from infrastructure.events import Events
from infrastructure.functions import JOB_EVENTS_TIMEOUT, Functions
from infrastructure.storage import Storage


class GenerateOnCloudStack(Stack):
    """The whole service of one stage.

    Args:
        config: the stage's numbers.
        code: the Lambda bundle.
        version: of the service, as the API reports it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: lambda_.Code,
        version: str,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Generate on Cloud: img2img, inpaint, txt2img and interrogation as a service",
            # CloudFormation takes templates of up to 51,200 bytes directly.
            suppress_template_indentation=True,
        )
        storage = Storage(self, "Storage", config=config)
        events = Events(self, "Events", consumer_timeout=JOB_EVENTS_TIMEOUT)
        endpoint = Endpoint(self, "Endpoint", config=config, storage=storage, events=events)
        functions = Functions(
            self,
            "Functions",
            config=config,
            code=code,
            version=version,
            storage=storage,
            events_=events,
            endpoint=endpoint,
        )
        api = Api(self, "Api", config=config, function=functions.api)

        outputs = {
            "ApiUrl": api.rest_api.url,
            "ApiId": api.rest_api.rest_api_id,
            "AdminKeySecretArn": functions.admin_key_arn,
            "EndpointName": endpoint.name,
            "JobsTableName": storage.jobs_table.table_name,
            "AssetsTableName": storage.assets_table.table_name,
            "AccessTableName": storage.access_table.table_name,
            "JobsBucketName": storage.jobs_bucket.bucket_name,
            "AssetsBucketName": storage.assets_bucket.bucket_name,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)

"""AWS clients that can only reach the local cloud; the only place where clients are created."""

from typing import TYPE_CHECKING, Literal, overload

import boto3
from botocore.config import Config

from local_cloud.environment import loopback_url
from local_cloud.settings import ACCOUNT, DEFAULT_REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


class LocalClients:
    """Creates clients with dummy credentials for one loopback endpoint."""

    def __init__(self, endpoint_url: str, *, region: str = DEFAULT_REGION) -> None:
        """Raises NotLoopbackError unless `endpoint_url` is on this machine."""
        self.endpoint_url = loopback_url(endpoint_url)
        self.region = region
        self._session = boto3.session.Session(
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",  # noqa: S106 - nothing checks it
            region_name=region,
        )

    @overload
    def client(self, service: Literal["cloudformation"]) -> "CloudFormationClient": ...
    @overload
    def client(self, service: Literal["dynamodb"]) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["s3"]) -> "S3Client": ...
    @overload
    def client(self, service: Literal["sagemaker"]) -> "SageMakerClient": ...
    @overload
    def client(self, service: Literal["sagemaker-runtime"]) -> "SageMakerRuntimeClient": ...
    @overload
    def client(self, service: Literal["sns"]) -> "SNSClient": ...
    @overload
    def client(self, service: Literal["sqs"]) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["ssm"]) -> "SSMClient": ...
    def client(self, service: str) -> object:
        """A boto3 client for `service`."""
        return self._session.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint_url,
            config=Config(
                signature_version="s3v4" if service == "s3" else None,
                retries={"mode": "standard", "total_max_attempts": 2},
                connect_timeout=5,
                read_timeout=120,
                proxies={},
            ),
        )

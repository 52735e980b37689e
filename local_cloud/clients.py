"""AWS clients that can only reach the local cloud; the only place where clients are created."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials

from local_cloud.environment import loopback_url
from local_cloud.root_credential import RootCredential
from local_cloud.settings import DEFAULT_REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


class _RootCredentials(Credentials):
    """What `root` returns at the moment of signing."""

    def __init__(self, root: Callable[[], RootCredential]) -> None:
        self._root = root

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        root = self._root()
        return ReadOnlyCredentials(root.access_key, root.secret_key, None)


class LocalClients:
    """Creates clients with all rights for one loopback endpoint."""

    def __init__(self, endpoint_url: str, root: Callable[[], RootCredential], *, region: str = DEFAULT_REGION) -> None:
        """`root` is asked for each request, because a restarted local cloud has another.

        Raises:
            NotLoopbackError: `endpoint_url` is not on this machine.
        """
        self.endpoint_url = loopback_url(endpoint_url)
        self.region = region
        session = botocore.session.get_session()
        # botocore has no other way.
        session._credentials = _RootCredentials(root)  # type: ignore[attr-defined]  # noqa: SLF001
        self._session = boto3.session.Session(botocore_session=session, region_name=region)

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

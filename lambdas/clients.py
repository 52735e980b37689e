"""AWS clients, made once for a function's life and passed on as arguments."""

from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sqs import SQSClient


class FunctionsClient(Protocol):
    """What is used of Lambda's client."""

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> object:  # noqa: N803
        """Call a function."""


_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
_S3_CONFIG = _CONFIG.merge(
    Config(
        # Presigned URLs of the older signature carry no region and are not checked for their headers.
        signature_version="s3v4",
        # A presigned URL must not demand the checksum of a body that only the client knows.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
)


def dynamodb_client() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=_CONFIG)


def s3_client() -> "S3Client":
    return boto3.client("s3", config=_S3_CONFIG)


def lambda_client() -> "FunctionsClient":
    client: FunctionsClient = boto3.client("lambda", config=_CONFIG)
    return client


def sagemaker_client() -> "SageMakerClient":
    return boto3.client("sagemaker", config=_CONFIG)


def sagemaker_runtime_client() -> "SageMakerRuntimeClient":
    return boto3.client("sagemaker-runtime", config=_CONFIG)


def sqs_client() -> "SQSClient":
    return boto3.client("sqs", config=_CONFIG)

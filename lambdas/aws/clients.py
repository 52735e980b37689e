"""AWS clients, created once per function instance and passed on as arguments.

DynamoDB and S3 serve every request and are created at once. The others are created by their first call: each takes
50 ms to read its service's model, and most requests never use them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sqs import SQSClient


class FunctionsClient(Protocol):
    """The part of Lambda's client that we use."""

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> object:  # noqa: N803
        """Call a function."""


_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
_S3_CONFIG = _CONFIG.merge(
    Config(
        # Presigned URLs of the older signature have no region and do not sign their headers.
        signature_version="s3v4",
        # Otherwise presigned URLs name the global host, which redirects outside us-east-1 and breaks the signature.
        s3={"addressing_style": "virtual"},
        # A presigned URL must not demand the checksum of a body that only the client knows.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
)


class _MadeByFirstCall:
    """Stands in for a client until it is first used."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    @cached_property
    def _client(self) -> object:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def dynamodb_client() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=_CONFIG)


def s3_client() -> "S3Client":
    return boto3.client("s3", config=_S3_CONFIG)


def _late_s3_client() -> "S3Client":
    return cast("S3Client", _MadeByFirstCall(s3_client))


def lambda_client() -> "FunctionsClient":
    return cast("FunctionsClient", _MadeByFirstCall(partial(boto3.client, "lambda", config=_CONFIG)))


def sagemaker_client() -> "SageMakerClient":
    return cast("SageMakerClient", _MadeByFirstCall(partial(boto3.client, "sagemaker", config=_CONFIG)))


def sagemaker_runtime_client() -> "SageMakerRuntimeClient":
    return cast("SageMakerRuntimeClient", _MadeByFirstCall(partial(boto3.client, "sagemaker-runtime", config=_CONFIG)))


def sqs_client() -> "SQSClient":
    return cast("SQSClient", _MadeByFirstCall(partial(boto3.client, "sqs", config=_CONFIG)))


@dataclass(frozen=True)
class Clients:
    """One client for each service that the functions use."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sqs: "SQSClient"
    sagemaker: "SageMakerClient"
    sagemaker_runtime: "SageMakerRuntimeClient"
    functions: FunctionsClient


def aws_clients(*, stores_objects: bool = True) -> Clients:
    """The clients of a deployed function; one that seldom stores objects creates S3's client on first use, too."""
    return Clients(
        dynamodb=dynamodb_client(),
        s3=s3_client() if stores_objects else _late_s3_client(),
        sqs=sqs_client(),
        sagemaker=sagemaker_client(),
        sagemaker_runtime=sagemaker_runtime_client(),
        functions=lambda_client(),
    )

"""SageMaker's state as typed values: models, endpoint configurations, endpoints and queued invocations."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Kinds of resource; the value is the word in their ARN."""

    MODEL = "model"
    ENDPOINT_CONFIG = "endpoint-config"
    ENDPOINT = "endpoint"
    SCALABLE_TARGET = "scalable-target"
    SCALING_POLICY = "scaling-policy"


class EndpointStatus(StrEnum):
    CREATING = "Creating"
    UPDATING = "Updating"
    """While it is changed or scaled; it takes invocations."""
    IN_SERVICE = "InService"
    FAILED = "Failed"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource as CloudFormation created it."""

    kind: Kind
    name: str
    arn: str
    properties: Mapping[str, Any]
    """CloudFormation's properties, which are the fields of SageMaker's API."""
    created_at: float
    """Epoch seconds."""
    modified_at: float
    status: EndpointStatus = EndpointStatus.CREATING
    """Endpoints only."""
    failure_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointSpec:
    """Everything an endpoint needs to run, gathered from its configuration and its model."""

    name: str
    role: str
    """ARN of the role used by its container, and by SageMaker on its behalf."""
    variant: str
    environment: Mapping[str, str]
    startup_seconds: float
    """Seconds the container may take until it answers /ping."""
    output_path: str
    """`s3://bucket/prefix` without a trailing slash."""
    failure_path: str | None
    success_topic: str | None
    error_topic: str | None


@dataclass(frozen=True, kw_only=True)
class NewInvocation:
    """An asynchronous invocation as it is received."""

    endpoint: str
    inference_id: str
    input_location: str
    content_type: str
    accept: str
    custom_attributes: str
    output_location: str
    failure_location: str | None
    received_at: float
    """Epoch seconds."""
    ttl_seconds: int
    """It expires if it has not started by then."""
    timeout_seconds: int
    """Seconds the container may work on it."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An SNS message that has not been sent yet."""

    topic: str
    message: str


@dataclass(frozen=True, kw_only=True)
class QueuedInvocation:
    """An invocation in the queue."""

    number: int
    """Its place in the queue; smaller is earlier."""
    invocation: NewInvocation
    done: bool
    """The container has answered and the answer is in S3; only the notice is missing."""
    notice: Notice | None

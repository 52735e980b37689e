"""What an endpoint needs to run, gathered from its configuration and its model."""

from collections.abc import Mapping
from typing import Any

from local_cloud.sagemaker.records import EndpointSpec, Kind, Resource
from local_cloud.sagemaker.store import SageMakerStore

DEFAULT_STARTUP_SECONDS = 600.0


class NotDeployableError(ValueError):
    """A SageMaker resource that this cloud cannot run; CloudFormation fails the resource with the text."""


def spec_of(store: SageMakerStore, endpoint: str, properties: Mapping[str, Any]) -> EndpointSpec:
    """Everything that an endpoint with these properties needs to run.

    Raises:
        NotDeployableError: its configuration or its model is missing, or it is not an asynchronous endpoint.
    """
    config = found(store, Kind.ENDPOINT_CONFIG, properties["EndpointConfigName"]).properties
    variants = config.get("ProductionVariants") or []
    if len(variants) != 1:
        raise NotDeployableError(f"received {len(variants)} production variants; allowed: 1")
    output = (config.get("AsyncInferenceConfig") or {}).get("OutputConfig") or {}
    if not output.get("S3OutputPath"):
        raise NotDeployableError("only asynchronous endpoints run here: AsyncInferenceConfig.OutputConfig is missing")
    model = found(store, Kind.MODEL, variants[0]["ModelName"]).properties
    container = model.get("PrimaryContainer") or {}
    topics = output.get("NotificationConfig") or {}
    failure_path = output.get("S3FailurePath")
    return EndpointSpec(
        name=endpoint,
        role=str(model["ExecutionRoleArn"]),
        variant=str(variants[0].get("VariantName", "AllTraffic")),
        environment={str(name): str(value) for name, value in (container.get("Environment") or {}).items()},
        startup_seconds=float(
            variants[0].get("ContainerStartupHealthCheckTimeoutInSeconds") or DEFAULT_STARTUP_SECONDS
        ),
        output_path=str(output["S3OutputPath"]).rstrip("/"),
        failure_path=str(failure_path).rstrip("/") if failure_path else None,
        success_topic=topics.get("SuccessTopic"),
        error_topic=topics.get("ErrorTopic"),
    )


def found(store: SageMakerStore, kind: Kind, reference: str) -> Resource:
    """The resource with this name or ARN.

    Raises:
        NotDeployableError: it does not exist.
    """
    resource = store.get(kind, reference.rsplit("/", 1)[-1])
    if resource is None:
        raise NotDeployableError(f"Could not find {kind} {reference!r}.")
    return resource

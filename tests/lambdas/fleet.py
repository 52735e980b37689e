"""The template's endpoint and others made through the API, on one account of moto."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import boto3
from botocore.exceptions import ClientError

from lambdas.api.handler import make_resolver
from lambdas.endpoints.second_sleep import SecondSleep
from lambdas.functions.endpoint_keeper import EndpointKeeper, ScalingLimits
from tests.lambdas.cloud import START, Cloud, FakeEndpoint

FAST = {"name": "fast", "instance_type": "ml.g4dn.2xlarge", "max_instances": 3, "idle_minutes": 7}
NAME = "goc-main-fast"


class SageMaker:
    """moto's SageMaker, in which an endpoint has the status a test gives it and refuses what a test says."""

    def __init__(self, client: Any, endpoint: FakeEndpoint) -> None:
        self.client = client
        self.endpoint = endpoint
        self.statuses = endpoint.statuses
        self.reason: str | None = None
        self.refusals: dict[str, ClientError] = {}

    def __getattr__(self, operation: str) -> Any:
        if operation in self.refusals:
            raise self.refusals[operation]
        return getattr(self.client, operation)

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        answer: dict[str, Any] = self.client.describe_endpoint(EndpointName=EndpointName)
        answer["EndpointStatus"] = self.statuses.get(EndpointName, "InService")
        if reason := self.reason or self.endpoint.failure_reason:
            answer["FailureReason"] = reason
        return answer


MADE = START - timedelta(hours=1)


class Live:
    """SageMaker with endpoints of one instance each, as the keeper sees them."""

    def __init__(self, endpoint: str, *, status: str = "InService", instances: int = 1) -> None:
        self.endpoint = endpoint
        self.status = status
        self.instances = instances
        self.created, self.modified = MADE, MADE
        self.refusal: ClientError | None = None
        self.wanted: list[tuple[str, str, int]] = []

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "EndpointName": EndpointName,
            "EndpointStatus": self.status,
            "ProductionVariants": [{"VariantName": "g5-xlarge", "CurrentInstanceCount": self.instances}],
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }

    def update_endpoint_weights_and_capacities(
        self,
        *,
        EndpointName: str,  # noqa: N803
        DesiredWeightsAndCapacities: list[dict[str, Any]],  # noqa: N803
    ) -> None:
        if self.refusal is not None:
            raise self.refusal
        (each,) = DesiredWeightsAndCapacities
        self.wanted.append((EndpointName, each["VariantName"], each["DesiredInstanceCount"]))


class Fleet:
    """The API and the keeper on one account that has the template's endpoint."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.sagemaker = SageMaker(boto3.client("sagemaker"), cloud.endpoint)
        self.autoscaling = boto3.client("application-autoscaling")
        self.cloudwatch = boto3.client("cloudwatch")
        self.logs = boto3.client("logs")
        self._deploy_template()
        client = cast("Any", self.sagemaker)
        self.services = replace(cloud.services, clients=replace(cloud.services.clients, sagemaker=client))
        # moto makes and describes endpoints; what takes jobs, or does not, is the fake.
        taking = {name: getattr(cloud.services, name) for name in ("instance_counts", "delivery")}
        vars(self.services).update(taking)
        cloud.resolver = make_resolver(self.services)
        self.store = self.services.registry.store
        self.keeper = EndpointKeeper(
            store=self.store,
            sagemaker=client,
            endpoints=self.services.endpoints,
            autoscaling=self.autoscaling,
            cloudwatch=self.cloudwatch,
            logs=self.logs,
            sleep=SecondSleep(client, cloud.load),
            default=ScalingLimits("artists", min_instances=0, idle_minutes=5),
            now=cloud.clock.moment,
        )

    def keeper_with(self, sagemaker: Any) -> EndpointKeeper:
        """The keeper, with another SageMaker."""
        endpoints = replace(self.services.endpoints, sagemaker=sagemaker)
        return replace(self.keeper, endpoints=endpoints, sleep=SecondSleep(sagemaker, self.cloud.load))

    def _deploy_template(self) -> None:
        client = self.sagemaker.client
        client.create_model(
            ModelName="Model-x",
            PrimaryContainer={
                "Image": "the-image",
                "Environment": {"JOBS_BUCKET": "jobs-bucket", "WORKERS": "1", "GPU_PRICE_PER_HOUR": "0.5"},
            },
            ExecutionRoleArn="arn:aws:iam::123456789012:role/container",
        )
        client.create_endpoint_config(
            EndpointConfigName="Config-x",
            ProductionVariants=[
                {
                    "VariantName": "main",
                    "ModelName": "Model-x",
                    "InstanceType": "ml.g4dn.2xlarge",
                    "InitialInstanceCount": 1,
                    "ContainerStartupHealthCheckTimeoutInSeconds": 1800,
                }
            ],
            AsyncInferenceConfig={
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
                "OutputConfig": {"S3OutputPath": "s3://jobs-bucket/endpoint-output", "KmsKeyId": "the-key"},
            },
        )
        client.create_endpoint(EndpointName="artists", EndpointConfigName="Config-x")

    def create(self, **more: object) -> Any:
        return self.cloud.ask("POST", "/v1/endpoints", {**FAST, **more}, user="root").ok(201)

    def ready(self) -> None:
        """Make one that has been looked after once."""
        self.create()
        self.keeper.keep(NAME)

    def alarms(self) -> dict[str, dict[str, Any]]:
        return {alarm["AlarmName"]: dict(alarm) for alarm in self.cloudwatch.describe_alarms()["MetricAlarms"]}

    def targets(self) -> list[dict[str, Any]]:
        found = self.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        return [dict(target) for target in found]

    def names(self) -> dict[str, list[str]]:
        """What SageMaker has, by kind."""
        client = self.sagemaker.client
        return {
            "endpoints": [each["EndpointName"] for each in client.list_endpoints()["Endpoints"]],
            "configs": [each["EndpointConfigName"] for each in client.list_endpoint_configs()["EndpointConfigs"]],
            "models": [each["ModelName"] for each in client.list_models()["Models"]],
        }

    def remove(self) -> None:
        """Take everything away: moto keeps it from test to test."""
        client = self.sagemaker.client
        for name in self.names()["endpoints"]:
            client.delete_endpoint(EndpointName=name)
        for name in self.names()["configs"]:
            client.delete_endpoint_config(EndpointConfigName=name)
        for name in self.names()["models"]:
            client.delete_model(ModelName=name)
        self.cloudwatch.delete_alarms(AlarmNames=list(self.alarms()))
        for target in self.targets():
            self.autoscaling.deregister_scalable_target(
                **{name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
            )

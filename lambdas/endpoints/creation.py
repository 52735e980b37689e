"""Creates an endpoint in SageMaker, modelled on the template's: model, configuration and endpoint of one name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.instances import GPUS, HOUR_USD
from lambdas.aws.errors import REFUSED, THROTTLED, error_code, error_message
from lambdas.endpoints.record import EndpointRecord
from lambdas.problems import ProblemError, invalid, shortened

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

STAGE_TAG = "goc:stage"
_MODEL_COPIES = ("VpcConfig", "EnableNetworkIsolation")
_CONFIG_COPIES = ("VpcConfig", "EnableNetworkIsolation")
_VARIANT_COPIES = ("ContainerStartupHealthCheckTimeoutInSeconds", "InferenceAmiVersion", "VolumeSizeInGB")
_REASON_CHARACTERS = 1000


@dataclass(frozen=True)
class EndpointCreation:
    sagemaker: "SageMakerClient"
    default: str
    """The template's endpoint: image, environment, role, topics, encryption and network are copied from it."""
    prefix: str

    def create(self, record: EndpointRecord) -> None:
        """Create all three; six calls. After a refusal, the keeper removes what was already created.

        Raises:
            ProblemError: `aws_quota_exceeded` with the quota's name, `invalid_params` with SageMaker's reason,
                `endpoint_not_in_service` if the template's endpoint does not exist, `too_many_requests`.
            ClientError: any other refusal.
        """
        config = self._described(self._pattern_config)
        (variant,) = config["ProductionVariants"]
        model = self._described(lambda: self.sagemaker.describe_model(ModelName=variant["ModelName"]))
        name, tags = record.endpoint, [{"Key": STAGE_TAG, "Value": self.prefix.removesuffix("-")}]
        workers = GPUS[record.instance_type]
        container = {key: value for key, value in model["PrimaryContainer"].items() if key in {"Image", "Environment"}}
        container["Environment"] = {**container.get("Environment", {}), "WORKERS": str(workers)}
        if record.instance_type != variant.get(
            "InstanceType"
        ):  # else the template's price, which may be a configured one
            container["Environment"]["GPU_PRICE_PER_HOUR"] = str(HOUR_USD.get(record.instance_type, 0.0) / workers)
        if record.image is not None:
            container["Image"] = record.image
        new_model: Any = {
            "ModelName": name,
            "PrimaryContainer": container,
            "ExecutionRoleArn": model["ExecutionRoleArn"],
            "Tags": tags,
            **_copied(model, _MODEL_COPIES),
        }
        new_config: Any = {
            "EndpointConfigName": name,
            "ProductionVariants": [
                {
                    "VariantName": record.variant,
                    "ModelName": name,
                    "InstanceType": record.instance_type,
                    "InitialInstanceCount": max(1, record.min_instances),
                    "InitialVariantWeight": 1.0,
                    **_copied(variant, _VARIANT_COPIES),
                }
            ],
            "Tags": tags,
            **_copied(config, _CONFIG_COPIES),
            "AsyncInferenceConfig": {
                **config["AsyncInferenceConfig"],
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": workers},
            },
        }
        new_endpoint: Any = {"EndpointName": name, "EndpointConfigName": name, "Tags": tags}
        try:
            self.sagemaker.create_model(**new_model)
            self.sagemaker.create_endpoint_config(**new_config)
            self.sagemaker.create_endpoint(**new_endpoint)
        except ClientError as error:
            raise _refusal(error) or error from error

    def _pattern_config(self) -> Mapping[str, Any]:
        found = self.sagemaker.describe_endpoint(EndpointName=self.default)["EndpointConfigName"]
        return self.sagemaker.describe_endpoint_config(EndpointConfigName=found)

    def _described(self, describe: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return describe()
        except ClientError as error:
            if error_code(error) not in REFUSED:
                raise
            detail = f"New endpoints are modelled on {self.default}, which does not exist: deploy the inference stack."
            raise ProblemError(ProblemCode.ENDPOINT_NOT_IN_SERVICE, detail, retry_after=60) from error


def _copied(source: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: source[name] for name in names if source.get(name)}


def _refusal(error: ClientError) -> ProblemError | None:
    """The problem in the user's words; None if neither the request nor the account is at fault."""
    code, said = error_code(error), shortened(error_message(error), _REASON_CHARACTERS)
    if code == "ResourceLimitExceeded":
        return ProblemError(ProblemCode.AWS_QUOTA_EXCEEDED, said)  # AWS names the quota and where to raise it
    if code in THROTTLED:
        return ProblemError(ProblemCode.TOO_MANY_REQUESTS, "SageMaker received too many requests.", retry_after=5)
    if code in REFUSED:
        return invalid([FieldError(pointer="", message=f"SageMaker refused the endpoint: {said}")])
    return None

"""SageMaker endpoints: what they are doing, and handing them a job."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from inference_container.contract.api import EndpointView
from inference_container.contract.errors import FieldError, ProblemCode
from lambdas.aws_errors import THROTTLED, error_code, error_message
from lambdas.problems import ProblemError, invalid, shortened

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

_LOG = logging.getLogger(__name__)

TAKES_JOBS = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack"})
"""SageMaker keeps serving while it changes an endpoint, and calls every scaling (also from zero) `Updating`."""
_ENDPOINTS_OWN_FAULT = frozenset({"ValidationError", "ValidationException", "ServiceUnavailable", "InternalFailure"})
"""Refusals whose text is about the endpoint and safe to repeat."""


@dataclass(frozen=True)
class JobLocations:
    """Where SageMaker will put the answer, as `s3://` URIs."""

    output: str
    failure: str | None


@dataclass(frozen=True)
class Endpoints:
    sagemaker: "SageMakerClient"
    runtime: "SageMakerRuntimeClient"

    def describe(self, name: str) -> EndpointView | None:
        """The endpoint's state, None when there is none of that name. One call."""
        try:
            answer = self.sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error_code(error) in {"ValidationException", "ValidationError"}:
                return None
            raise
        return EndpointView(
            name=answer["EndpointName"],
            status=answer["EndpointStatus"],
            instance_count=sum(
                variant.get("CurrentInstanceCount", 0) for variant in answer.get("ProductionVariants", [])
            ),
            failure_reason=answer.get("FailureReason"),
        )

    def require_in_service(self, name: str) -> None:
        """Check that the endpoint takes jobs; scaled to zero is fine.

        Raises:
            ProblemError: `endpoint_not_in_service`, with SageMaker's status and reason.
        """
        endpoint = self.describe(name)
        if endpoint is None:
            raise _not_in_service(f"There is no endpoint {name}.")
        if endpoint.status not in TAKES_JOBS:
            reason = f": {endpoint.failure_reason}" if endpoint.failure_reason else ""
            raise _not_in_service(f"The endpoint {name} is {endpoint.status}{reason}.")

    def invoke(
        self,
        name: str,
        *,
        job_id: str,
        request_uri: str,
        ttl_s: int | None = None,
        run_timeout_s: int | None = None,
    ) -> JobLocations:
        """Hand over a job; the endpoint's state is only asked for when it does not take it.

        Raises:
            ProblemError: `endpoint_not_in_service` when it was refused for the endpoint's state or could not be
                reached, `too_many_requests` when SageMaker throttles.
            ClientError: any other refusal.
        """
        try:
            limits: Any = {"RequestTTLSeconds": ttl_s, "InvocationTimeoutSeconds": run_timeout_s}
            answer = self.runtime.invoke_endpoint_async(
                EndpointName=name,
                InputLocation=request_uri,
                InferenceId=job_id,
                ContentType="application/json",
                **{limit: seconds for limit, seconds in limits.items() if seconds is not None},
            )
        except ClientError as error:
            if error_code(error) in THROTTLED:
                raise ProblemError(
                    ProblemCode.TOO_MANY_REQUESTS, f"The endpoint {name} gets too many requests.", retry_after=5
                ) from error
            if error_code(error) not in _ENDPOINTS_OWN_FAULT:
                raise
            self.require_in_service(name)  # its own state is the better reason
            raise _not_in_service(f"The endpoint {name} did not take the job: {error_message(error)}") from error
        except BotoCoreError as error:
            _LOG.warning("invoking %s for job %s failed", name, job_id, exc_info=error)
            raise _not_in_service(f"The endpoint {name} could not be reached ({type(error).__name__}).") from error
        return JobLocations(output=answer["OutputLocation"], failure=answer.get("FailureLocation"))


def choose_endpoint(named: str | None, *, default: str) -> str:
    """The endpoint a job goes to: the named one, else the default.

    Raises:
        ProblemError: `invalid_params`, the named one is none the caller may use.
    """
    if named not in (None, default):
        message = f"received {shortened(named)!r}; allowed: {default}"
        raise invalid([FieldError(pointer="/endpoint", message=message)])
    return default


def _not_in_service(detail: str) -> ProblemError:
    return ProblemError(ProblemCode.ENDPOINT_NOT_IN_SERVICE, shortened(detail), retry_after=30)

"""SageMaker's endpoints: their state, and sending them jobs."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.endpoints import EndpointStatus
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.aws.errors import REFUSED, THROTTLED, error_code, error_message
from lambdas.endpoints.refusals import not_in_service
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

_LOG = logging.getLogger(__name__)

TAKES_JOBS = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"})
"""SageMaker keeps serving while it changes an endpoint, and calls every scaling (even from zero) `Updating`."""
_STATUSES = {
    "Creating": EndpointStatus.CREATING,
    "InService": EndpointStatus.IN_SERVICE,
    "OutOfService": EndpointStatus.OUT_OF_SERVICE,
    "UpdateRollbackFailed": EndpointStatus.UPDATE_ROLLBACK_FAILED,
    "Failed": EndpointStatus.FAILED,
    "Deleting": EndpointStatus.DELETING,
}
_ENDPOINTS_OWN_FAULT = REFUSED | {"ServiceUnavailable", "InternalFailure"}
"""Error codes whose text is about the endpoint and safe to show."""


def status_of(sagemaker_status: str) -> EndpointStatus:
    """Our status for SageMaker's: every kind of change is `Updating`."""
    return _STATUSES.get(sagemaker_status, EndpointStatus.UPDATING)


@dataclass(frozen=True)
class JobLocations:
    """Where SageMaker will put its answer, as `s3://` URIs."""

    output: str
    failure: str | None


@dataclass(frozen=True)
class LiveEndpoint:
    """What SageMaker says about an endpoint right now."""

    name: str
    status: str
    """SageMaker's own status, e.g. InService, Creating, Updating, Failed."""
    instance_count: int
    failure_reason: str | None = None
    variant: str | None = None
    """Name of its only production variant."""
    modified_at: datetime | None = None
    """Of its last change, which is also the start or the end of an instance."""
    created_at: datetime | None = None
    """Of an endpoint that was deleted and made again under its name: the second time."""


@dataclass(frozen=True)
class SageMakerEndpoints:
    sagemaker: "SageMakerClient | None"
    """None in functions that only resend jobs: they do not need the endpoint's own reason and may not ask for it."""
    runtime: "SageMakerRuntimeClient"

    def describe(self, name: str) -> LiveEndpoint | None:
        """The endpoint's state; None if none has this name. One call.

        Raises:
            TypeError: there is no SageMaker client to ask with.
        """
        if self.sagemaker is None:
            raise TypeError("these endpoints only take jobs")
        try:
            answer = self.sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error_code(error) in REFUSED:
                return None
            raise
        return LiveEndpoint(
            name=answer["EndpointName"],
            status=answer["EndpointStatus"],
            instance_count=sum(
                variant.get("CurrentInstanceCount", 0) for variant in answer.get("ProductionVariants", [])
            ),
            failure_reason=answer.get("FailureReason"),
            variant=next((variant["VariantName"] for variant in answer.get("ProductionVariants", [])), None),
            modified_at=answer.get("LastModifiedTime"),
            created_at=answer.get("CreationTime"),
        )

    def require_in_service(self, name: str) -> None:
        """Check that the endpoint takes jobs; scaled to zero is fine.

        Raises:
            ProblemError: `endpoint_not_in_service`, with SageMaker's status and reason.
        """
        endpoint = self.describe(name)
        if endpoint is None:
            raise not_in_service(f"The endpoint {name} does not exist.")
        if endpoint.status not in TAKES_JOBS:
            reason = f": {endpoint.failure_reason}" if endpoint.failure_reason else ""
            raise not_in_service(f"The endpoint {name} is {endpoint.status}{reason}.")

    def invoke(
        self,
        name: str,
        *,
        job_id: str,
        request_uri: str,
        ttl_s: int | None = None,
        run_timeout_s: int | None = None,
    ) -> JobLocations:
        """Send a job; the endpoint's state is only read if it refuses the job.

        Raises:
            ProblemError: `endpoint_not_in_service` if it was refused because of the endpoint's state or could not be
                reached, `too_many_requests` if SageMaker throttles.
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
                    ProblemCode.TOO_MANY_REQUESTS, f"The endpoint {name} received too many requests.", retry_after=5
                ) from error
            if error_code(error) not in _ENDPOINTS_OWN_FAULT:
                raise
            if self.sagemaker is not None:
                self.require_in_service(name)  # its own state explains more
            raise not_in_service(f"The endpoint {name} refused the job: {error_message(error)}") from error
        except BotoCoreError as error:
            _LOG.warning("invoking %s for job %s failed", name, job_id, exc_info=error)
            raise not_in_service(f"The endpoint {name} could not be reached ({type(error).__name__}).") from error
        return JobLocations(output=answer["OutputLocation"], failure=answer.get("FailureLocation"))

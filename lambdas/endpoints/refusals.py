"""Problems for endpoints that take no jobs."""

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.problems import ProblemError, shortened


def being_deleted(endpoint: str) -> ProblemError:
    return not_in_service(f"The endpoint {endpoint} is being deleted.")


def not_in_service(detail: str) -> ProblemError:
    """`endpoint_not_in_service`, to be retried in half a minute."""
    return ProblemError(ProblemCode.ENDPOINT_NOT_IN_SERVICE, shortened(detail), retry_after=30)

"""What each of SageMaker's states of an endpoint is called, and whether it takes jobs."""

import pytest
from botocore.loaders import Loader

from generate_on_cloud.contract.endpoints import EndpointStatus
from lambdas.endpoints.sagemaker import TAKES_JOBS, status_of

STATES = {
    "OutOfService": (EndpointStatus.OUT_OF_SERVICE, False),
    "Creating": (EndpointStatus.CREATING, False),
    "Updating": (EndpointStatus.UPDATING, True),
    "SystemUpdating": (EndpointStatus.UPDATING, True),
    "RollingBack": (EndpointStatus.UPDATING, True),
    "InService": (EndpointStatus.IN_SERVICE, True),
    "Deleting": (EndpointStatus.DELETING, False),
    "Failed": (EndpointStatus.FAILED, False),
    "UpdateRollbackFailed": (EndpointStatus.UPDATE_ROLLBACK_FAILED, True),
}


def test_every_state_of_sagemaker_is_known() -> None:
    model = Loader().load_service_model("sagemaker", "service-2")

    assert set(model["shapes"]["EndpointStatus"]["enum"]) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_its_own_word_where_it_is_not_a_passing_change(state: str) -> None:
    assert (status_of(state), state in TAKES_JOBS) == STATES[state]

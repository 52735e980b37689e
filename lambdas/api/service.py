"""Routes about the service itself, the only ones that work without a key."""

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.bodies import Health
from lambdas.api.routes import Call, Routes

ROUTES = Routes()


@ROUTES.add("GET", "/v1/health")
def get_health(call: Call) -> Health:
    """Check that the API answers, and get its versions."""
    return Health(status="ok", version=call.services.settings.SERVICE_VERSION, contract_version=CONTRACT_VERSION)

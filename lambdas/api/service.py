"""Routes about the service itself; the only ones without a key."""

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.bodies import Health
from lambdas.api.routes import Call, Routes

ROUTES = Routes()


@ROUTES.add("GET", "/v1/health")
def get_health(call: Call) -> Health:
    """Whether the API answers, and its versions."""
    return Health(status="ok", version=call.services.settings.SERVICE_VERSION, contract_version=CONTRACT_VERSION)


@ROUTES.add("GET", "/v1/openapi.json")
def get_openapi(call: Call) -> dict[str, object]:
    """This API as an OpenAPI 3.1 document."""
    from lambdas.api.openapi import openapi_document

    return openapi_document(version=call.services.settings.SERVICE_VERSION)

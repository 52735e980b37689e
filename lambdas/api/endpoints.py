"""Routes of endpoints."""

from inference_container.contract.access import Permission
from inference_container.contract.api import EndpointList
from lambdas.api.routes import Routes, UserCall

ROUTES = Routes()


@ROUTES.add("GET", "/v1/endpoints", permission=Permission.ENDPOINT_LIST)
def list_endpoints(call: UserCall) -> EndpointList:
    """The endpoints jobs go to, with SageMaker's status; empty while the configured one does not exist."""
    endpoint = call.services.endpoints.describe(call.services.settings.ENDPOINT_NAME)
    return EndpointList(endpoints=[] if endpoint is None else [endpoint])

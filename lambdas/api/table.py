"""Every route of the API, and the route that returns the OpenAPI document."""

from lambdas.api import (
    assets,
    endpoints,
    inputs,
    job_cancels,
    job_creation,
    job_lists,
    jobs,
    keys,
    preferences,
    roles,
    service,
    sessions,
    usage,
    users,
    webhooks,
)
from lambdas.api.openapi_document import openapi_document
from lambdas.api.routes import Call, Route, Routes

_ABOUT_ALL = Routes()


@_ABOUT_ALL.add("GET", "/v1/openapi.json")
def get_openapi(call: Call) -> dict[str, object]:
    """Get this API as an OpenAPI 3.1 document."""
    return openapi_document(ROUTES, version=call.services.settings.SERVICE_VERSION)


ROUTES: tuple[Route, ...] = tuple(
    row
    for resource in (
        job_creation,
        jobs,
        job_cancels,
        job_lists,
        inputs,
        webhooks,
        assets,
        endpoints,
        preferences,
        users,
        roles,
        keys,
        sessions,
        usage,
        service,
    )
    for row in resource.ROUTES.rows
) + tuple(_ABOUT_ALL.rows)

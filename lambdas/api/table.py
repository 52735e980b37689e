"""Every route of the API."""

from lambdas.api import assets, endpoints, jobs, service
from lambdas.api.routes import Route

ROUTES: tuple[Route, ...] = tuple(
    row for resource in (jobs, assets, endpoints, service) for row in resource.ROUTES.rows
)

"""Every route of the API."""

from lambdas.api import assets, endpoints, jobs, keys, roles, service, users
from lambdas.api.routes import Route

ROUTES: tuple[Route, ...] = tuple(
    row for resource in (jobs, assets, endpoints, users, roles, keys, service) for row in resource.ROUTES.rows
)

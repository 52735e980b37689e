"""Every route of the API."""

from lambdas.api import assets, endpoints, inputs, job_creation, jobs, keys, roles, service, usage, users, webhooks
from lambdas.api.routes import Route

ROUTES: tuple[Route, ...] = tuple(
    row
    for resource in (job_creation, jobs, inputs, webhooks, assets, endpoints, users, roles, keys, usage, service)
    for row in resource.ROUTES.rows
)

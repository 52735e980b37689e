"""Lambda: the REST API behind API Gateway."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.api.routes import find_route
from lambdas.api.serving import problem_response, serve
from lambdas.api.table import ROUTES
from lambdas.assembly.api import Api
from lambdas.aws.clients import aws_clients
from lambdas.problems import ProblemError
from lambdas.settings import ApiSettings

Resolver = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Takes API Gateway's event of one request, gives what API Gateway shall send."""


def make_resolver(services: Api) -> Resolver:
    """A resolver with every route, working on `services`."""

    def resolve(event: Mapping[str, Any]) -> dict[str, Any]:
        method, path = event["httpMethod"], event["path"]
        # No parameter takes what cannot be printed, not even a line's end.
        found = find_route(ROUTES, method, path) if path.isprintable() else None
        if found is None:
            return problem_response(_no_route(method, path), event).for_gateway()
        route, values = found
        return serve(route, event, services, values).for_gateway()

    return resolve


def _no_route(method: str, path: str) -> ProblemError:
    methods = sorted({route.method for route in ROUTES if route.matches(path)})
    # A method that is there and still was not found: the path has characters no parameter takes.
    if methods and method not in methods:
        detail = f"Received {method}; allowed: {', '.join(methods)}."
        return ProblemError(ProblemCode.METHOD_NOT_ALLOWED, detail)
    return ProblemError(ProblemCode.NOT_FOUND, f"There is nothing at {path[:200]}.")


@cache
def _resolver() -> Resolver:
    return make_resolver(Api(aws_clients(), ApiSettings.from_environment()))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Entry point."""
    return _resolver()(event)

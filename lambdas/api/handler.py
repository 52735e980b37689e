"""Lambda: the REST API behind API Gateway."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from inference_container.contract.errors import ProblemCode
from lambdas.api.routes import Route
from lambdas.api.services import Services, services_from_environment
from lambdas.api.serving import problem_response, serve
from lambdas.api.table import ROUTES
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def make_resolver(services: Services) -> APIGatewayRestResolver:
    """A resolver with every route, working on `services`."""
    resolver = APIGatewayRestResolver()
    for route in ROUTES:
        rule = re.sub(r"{(\w+)}", r"<\1>", route.path)
        resolver.route(rule, method=route.method)(_answering(resolver, services, route))

    @resolver.not_found
    def _unknown(_: NotFoundError) -> Response[str]:
        event = resolver.current_event
        return problem_response(_no_route(event.http_method, event.path), event.raw_event)

    return resolver


def _answering(resolver: APIGatewayRestResolver, services: Services, route: Route) -> Callable[..., Response[str]]:
    def answer(**path_values: str) -> Response[str]:
        event = resolver.current_event
        if not event.path.isprintable():  # a line's end at the path's passes the resolver's patterns
            return problem_response(_no_route(event.http_method, event.path), event.raw_event)
        return serve(route, event.raw_event, services, path_values)

    return answer


def _no_route(method: str, path: str) -> ProblemError:
    methods = sorted({route.method for route in ROUTES if route.matches(path)})
    # A method that is there and still was not found: the path has characters no parameter takes.
    if methods and method not in methods:
        detail = f"Received {method}; allowed: {', '.join(methods)}."
        return ProblemError(ProblemCode.METHOD_NOT_ALLOWED, detail)
    return ProblemError(ProblemCode.NOT_FOUND, f"There is nothing at {path[:200]}.")


@cache
def _resolver() -> APIGatewayRestResolver:
    return make_resolver(services_from_environment())


def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Entry point."""
    return _resolver().resolve(event, context)

"""Lambda: the REST API behind API Gateway.

For each request: find its route, read it, check the key, call the route's function. The only place that turns
exceptions into answers.
"""

import base64
import binascii
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError

from generate_on_cloud.contract.bodies import Body
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.trace_context import HEADER as TRACE_HEADER
from generate_on_cloud.contract.trace_context import read_traceparent
from lambdas.api.cors import ANSWER_HEADERS
from lambdas.api.routes import AnyCall, Call, Reply, Route, UserCall, find_route
from lambdas.api.table import ROUTES
from lambdas.assembly.api import Api
from lambdas.aws.clients import aws_clients
from lambdas.aws.errors import THROTTLED, error_code
from lambdas.field_errors import field_errors
from lambdas.json_documents import read_document
from lambdas.problems import ProblemError, invalid, shortened
from lambdas.settings import ApiSettings

_LOG = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024**2
_NO_STORE = {"Cache-Control": "no-store"}
CORRELATION_HEADER: Final = "x-correlation-id"
_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
_BEARER: Final = re.compile(r"bearer +(?P<token>\S+) *", re.IGNORECASE)
Resolver = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Takes API Gateway's event for one request and returns the answer in API Gateway's format."""


def make_resolver(services: Api) -> Resolver:
    """A resolver with every route, backed by `services`."""

    def resolve(event: Mapping[str, Any]) -> dict[str, Any]:
        method, path = event["httpMethod"], event["path"]
        # No parameter accepts an unprintable character, not even a line break.
        found = find_route(ROUTES, method, path) if path.isprintable() else None
        if found is None:
            return problem_response(_no_route(method, path), event).for_gateway()
        route, values = found
        return serve(route, event, services, values).for_gateway()

    return resolve


def _no_route(method: str, path: str) -> ProblemError:
    methods = sorted({route.method for route in ROUTES if route.matches(path)})
    # The method exists and still did not match: the path has characters that no parameter accepts.
    if methods and method not in methods:
        detail = f"Received {method}; allowed: {', '.join(methods)}."
        return ProblemError(ProblemCode.METHOD_NOT_ALLOWED, detail)
    return ProblemError(ProblemCode.NOT_FOUND, f"The path {path[:200]} does not exist.")


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: dict[str, str]
    body: str = ""

    def for_gateway(self) -> dict[str, Any]:
        """The answer in the format that API Gateway expects from a function; the gateway adds no CORS headers to it."""
        headers = {name: [value] for name, value in {**self.headers, **ANSWER_HEADERS}.items()}
        return {
            "statusCode": self.status,
            "multiValueHeaders": headers,
            "body": self.body,
            "isBase64Encoded": False,
        }


def serve(route: Route, event: Mapping[str, Any], services: Api, path_values: Mapping[str, str]) -> HttpAnswer:
    """The route's answer, or the problem that occurred; both with the correlation id, and the trace context if any."""
    correlation_id, headers = request_id_of(event), _headers(event)
    trace = read_traceparent(headers[TRACE_HEADER]) if TRACE_HEADER in headers else None
    try:
        correlation_id = correlation_id_of(event, headers)
        answer = _answer(route, event, services, path_values, correlation_id)
    except Exception as error:  # noqa: BLE001 - the outer edge: nothing may leave without a problem body
        answer = problem_response(error, event, correlation_id)
    answer.headers[CORRELATION_HEADER] = correlation_id
    if trace is not None:
        answer.headers[TRACE_HEADER] = trace.traceparent
    return answer


def _answer(
    route: Route,
    event: Mapping[str, Any],
    services: Api,
    path_values: Mapping[str, str],
    correlation_id: str,
) -> HttpAnswer:
    call = replace(_call(route, event, services), correlation_id=correlation_id)
    if route.permission is not None and isinstance(call, UserCall):
        call.caller.require(route.permission)
    arguments: dict[str, object] = {**path_values, "call": call}
    query = _query(route.query, event)
    if route.query.model_fields:
        arguments["query"] = query
    if route.body is not None:
        arguments["body"] = _body(route.body, event)
    answer = route.function(**arguments)
    status, headers = route.status, dict(_NO_STORE)
    if isinstance(answer, Reply):
        status, headers = answer.status or status, headers | dict(answer.headers)
        if answer.body is None:
            return HttpAnswer(status, headers)
        answer = answer.body
    body = answer.model_dump_json() if isinstance(answer, BaseModel) else json.dumps(answer)
    return HttpAnswer(status, {"Content-Type": "application/json"} | headers, body)


def problem_response(error: Exception, event: Mapping[str, Any], correlation_id: str | None = None) -> HttpAnswer:
    """`error` as `application/problem+json`; any other exception is logged and answered as `internal`."""
    request_id = request_id_of(event)
    if isinstance(error, ClientError) and error_code(error) in THROTTLED:
        error = ProblemError(ProblemCode.TOO_MANY_REQUESTS, "Too many requests at once.", retry_after=5)
    if not isinstance(error, ProblemError):
        _LOG.error("request %s failed", request_id, exc_info=error, extra={"correlation_id": correlation_id})
        error = ProblemError(ProblemCode.INTERNAL, f"The service failed; the error is logged under {request_id}.")
    problem = error.problem(request_id)
    headers = {"Content-Type": "application/problem+json", **_NO_STORE, **error.headers}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return HttpAnswer(problem.status, headers, problem.model_dump_json())


def _call(route: Route, event: Mapping[str, Any], services: Api) -> Call:
    """The request, with its caller if the route takes a key.

    Raises:
        ProblemError: `unauthorized`, or `too_many_requests` with this key.
    """
    headers = _headers(event)
    if not route.takes_key:
        return Call(services, headers)
    key = _key_in(headers)
    if route.needs_key:
        return UserCall(services, headers, caller=services.callers.caller_with(key))
    return AnyCall(services, headers, caller=services.callers.caller_with(key) if key else None)


def _key_in(headers: Mapping[str, str]) -> str | None:
    """The API key: `x-api-key`, else the token of `Authorization: Bearer`."""
    found = _BEARER.fullmatch(headers.get("authorization", ""))
    return headers.get("x-api-key") or (found["token"] if found else None)


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def _query(model: type[BaseModel], event: Mapping[str, Any]) -> BaseModel:
    single: Mapping[str, str] = event.get("queryStringParameters") or {}
    multiple: Mapping[str, list[str]] = event.get("multiValueQueryStringParameters") or {}
    repeated = [name for name, values in multiple.items() if len(values) > 1]
    if repeated:
        raise invalid([_query_error(name, f"received {len(multiple[name])} values; allowed: one") for name in repeated])
    try:
        return model.model_validate(dict(single))
    except ValidationError as error:
        found = field_errors(error, model)
        raise invalid([_query_error(item.pointer.removeprefix("/"), item.message) for item in found]) from error


def _query_error(name: str, message: str) -> FieldError:
    return FieldError(pointer=f"query:{shortened(name)}", message=message)


def _body(model: type[BaseModel], event: Mapping[str, Any]) -> BaseModel:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ProblemError(ProblemCode.INVALID_JSON, "The body cannot be decoded.") from error
    else:
        data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BODY_BYTES:
        raise ProblemError(
            ProblemCode.BODY_TOO_LARGE,
            f"Received {len(data)} bytes; allowed: up to {MAX_BODY_BYTES}. Send large params with `params: null` "
            "and upload the params document to the URL in the answer.",
        )
    absent = not data and issubclass(model, Body) and model.may_be_absent
    document = {} if absent else read_document(data)
    if not isinstance(document, dict):
        message = f"received a {type(document).__name__}; allowed: a JSON object"
        raise invalid([FieldError(pointer="", message=message)])
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise invalid(field_errors(error, model)) from error


def request_id_of(event: Mapping[str, Any]) -> str:
    """API Gateway's id for the request."""
    return str((event.get("requestContext") or {}).get("requestId") or "unknown")


def correlation_id_of(event: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """`x-correlation-id`, else the trace id of a W3C `traceparent`, else the request's id.

    A malformed `traceparent` is ignored, as W3C requires: proxies add it, not users.

    Raises:
        ProblemError: `invalid_params` if the header has characters that do not belong in a log line.
    """
    received = headers.get(CORRELATION_HEADER)
    if received is None:
        traced = read_traceparent(headers[TRACE_HEADER]) if TRACE_HEADER in headers else None
        return traced.trace_id if traced else request_id_of(event)
    if not _CORRELATION_ID.fullmatch(received):
        message = f"received {shortened(received)!r}; allowed: 1 to 128 letters, digits and . _ : / = + -"
        raise invalid([FieldError(pointer=f"header:{CORRELATION_HEADER}", message=message)])
    return received


@cache
def _resolver() -> Resolver:
    settings = ApiSettings.from_environment()
    resolver = make_resolver(Api(aws_clients(), settings))
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return resolver
    from lambdas.api.tracing import traced

    return traced(resolver)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Entry point."""
    return _resolver()(event)

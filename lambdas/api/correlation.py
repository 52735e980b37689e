"""The id a request, its job and every log line of both are found by: the client's own, or API Gateway's."""

import re
from collections.abc import Mapping
from typing import Any, Final

from generate_on_cloud.contract.errors import FieldError
from lambdas.problems import invalid, shortened

HEADER: Final = "x-correlation-id"
_ALLOWED: Final = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def request_id_of(event: Mapping[str, Any]) -> str:
    """API Gateway's id of the request."""
    return str((event.get("requestContext") or {}).get("requestId") or "unknown")


def correlation_id_of(event: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """`x-correlation-id`, else the trace id of a W3C `traceparent`, else the request's id.

    A malformed `traceparent` is passed over, as W3C has it: proxies add it, not users.

    Raises:
        ProblemError: `invalid_params`, the header holds characters that do not belong in a log line.
    """
    received = headers.get(HEADER)
    if received is None:
        traced = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        return traced["trace"] if traced else request_id_of(event)
    if not _ALLOWED.fullmatch(received):
        message = f"received {shortened(received)!r}; allowed: 1 to 128 letters, digits and . _ : / = + -"
        raise invalid([FieldError(pointer=f"header:{HEADER}", message=message)])
    return received

"""Trace context of the client's requests: of the application's own span if it uses OpenTelemetry, else of $TRACEPARENT.

OpenTelemetry is not imported here unless the application has loaded it.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from generate_on_cloud.contract.trace_context import HEADER, read_traceparent

_ID: Final = re.compile(r"(?<=/)(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64})(?=/|$)")


@contextmanager
def request_span(method: str, path: str) -> Iterator[dict[str, str]]:
    """A span around one request of an application that uses OpenTelemetry; gives the request's headers."""
    if "opentelemetry.trace" not in sys.modules:
        yield _inherited()
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    name, headers = f"{method} {_ID.sub('{id}', path)}", dict[str, str]()
    tracer = trace.get_tracer("generate_on_cloud.client")
    told = {"http.request.method": method, "url.path": path}
    with tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=told):
        TraceContextTextMapPropagator().inject(headers)
        yield headers or _inherited()


def _inherited() -> dict[str, str]:
    """The context that the program was started in, by the variable that shells and CI systems use."""
    context = read_traceparent(os.environ.get("TRACEPARENT"))
    return {HEADER: context.traceparent} if context else {}

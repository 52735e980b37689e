"""A span for each request of the API by OpenTelemetry, sent by OTLP over HTTP.

Imported only in a stage that has a collector: OpenTelemetry's SDK takes longer to load than the rest of the function.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from generate_on_cloud.contract.trace_context import HEADER
from lambdas.api.routes import find_route
from lambdas.api.table import ROUTES

SECONDS: Final = 1.0
"""How long a request may wait for the collector."""
PAUSE_SECONDS: Final = 60.0
"""How long nothing is sent after the collector did not answer, so that only one request waits for it."""
Resolver = Callable[[Mapping[str, Any]], dict[str, Any]]


def traced(resolve: Resolver, *, exporter: SpanExporter | None = None) -> Resolver:
    """The resolver with a span around each request, within the caller's trace if it sent a `traceparent`.

    The request goes on in the span's own context, so that the job and its container are below it. A span is sent before
    the answer is returned: Lambda freezes a function in between.
    """
    name = os.environ.get("OTEL_SERVICE_NAME") or "generate-on-cloud-api"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(SimpleSpanProcessor(PatientExporter(exporter or OTLPSpanExporter(timeout=SECONDS))))
    tracer, context = provider.get_tracer("generate_on_cloud.api"), TraceContextTextMapPropagator()

    def resolve_within_span(event: Mapping[str, Any]) -> dict[str, Any]:
        method, path = event["httpMethod"], event["path"]
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        found = find_route(ROUTES, method, path)
        about = {"http.request.method": method, "url.path": path}
        called = method
        if found is not None:
            route, values = found
            called, about["http.route"] = f"{method} {route.path}", route.path
            about |= {f"generate_on_cloud.{name}": value for name, value in values.items()}
        with tracer.start_as_current_span(
            called, context=context.extract(headers), kind=SpanKind.SERVER, attributes=about
        ) as span:
            headers.pop(HEADER, None)
            context.inject(headers)
            answer = resolve({**event, "headers": headers})
            span.set_attribute("http.response.status_code", answer["statusCode"])
            if answer["statusCode"] >= 500:
                span.set_status(Status(StatusCode.ERROR))
        return answer

    return resolve_within_span


class PatientExporter(SpanExporter):
    """Sends spans, and after a failure nothing for a while."""

    def __init__(self, inner: SpanExporter, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._inner, self._monotonic = inner, monotonic
        self._paused_until = float("-inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._monotonic() < self._paused_until:
            return SpanExportResult.FAILURE
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._paused_until = self._monotonic() + PAUSE_SECONDS
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

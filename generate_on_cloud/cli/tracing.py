"""Spans of `goc` by OpenTelemetry, sent by OTLP over HTTP; nothing is imported without OTEL_EXPORTER_OTLP_ENDPOINT."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from generate_on_cloud.cli.output import errors

_SECONDS = 5
"""How long the end of a command may wait for the collector."""


@contextmanager
def command_span(words: Sequence[str]) -> Iterator[None]:
    """A span around one call of `goc`, within the trace of $TRACEPARENT if there is one; its requests are below it."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        errors.print('no traces are sent: pip install "generate-on-cloud[otel]"', markup=False)
        yield
        return
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or "goc"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=_SECONDS)))
    trace.set_tracer_provider(provider)
    command = next((word for word in words if not word.startswith("-")), "")
    parent = TraceContextTextMapPropagator().extract({"traceparent": os.environ.get("TRACEPARENT", "")})
    try:
        with provider.get_tracer("generate_on_cloud.goc").start_as_current_span(
            f"goc {command}".strip(), context=parent
        ) as span:
            try:
                yield
            except SystemExit as ended:
                if ended.code:
                    span.set_status(trace.Status(trace.StatusCode.ERROR, f"exit code {ended.code}"))
                raise
    finally:
        provider.shutdown()

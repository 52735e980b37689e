"""Spans and metrics of jobs by OpenTelemetry's SDK, sent by OTLP over HTTP to OTEL_EXPORTER_OTLP_ENDPOINT."""

import os
import re
import time
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.metrics import UNITS, ContainerMetric
from inference_container.request_document import Ids
from inference_container.telemetry import JobSpan, Telemetry

SCOPE = "generate_on_cloud.container"
PREFIX = "generate_on_cloud"
"""Of our own attributes and metrics."""


class OtlpTelemetry(Telemetry):
    """One span for each job, with one below it for each phase; both providers send the rest when the process exits."""

    def __init__(self, *, stack: str) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME") or "generate-on-cloud-container"
        resource = Resource.create({SERVICE_NAME: name, f"{PREFIX}.stack": stack})
        self._tracers = TracerProvider(resource=resource)
        self._tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._meters = MeterProvider(resource=resource, metric_readers=[reader])
        self.tracer = self._tracers.get_tracer(SCOPE)
        meter = self._meters.get_meter(SCOPE)
        self.jobs = meter.create_counter(f"{PREFIX}.jobs", unit="{job}", description="Jobs that ended")
        self.seconds = meter.create_histogram(f"{PREFIX}.job.duration", unit="s", description="From claim to end")
        self.gauges = {
            metric: meter.create_gauge(metric_name(metric), unit="By")
            for metric in ContainerMetric
            if UNITS[metric] == "Bytes"
        }
        self.counters = {
            metric: meter.create_counter(metric_name(metric), unit="1" if UNITS[metric] == "Count" else "USD")
            for metric in ContainerMetric
            if metric not in self.gauges
        }

    def begin(self, ids: Ids) -> JobSpan:
        return _OtlpJobSpan(self, ids)

    def close(self) -> None:
        """Send what has not been sent yet; afterwards nothing is."""
        self._tracers.shutdown()
        self._meters.shutdown()


class _OtlpJobSpan(JobSpan):
    def __init__(self, telemetry: OtlpTelemetry, ids: Ids) -> None:
        super().__init__(ids)
        self._telemetry = telemetry
        self._task = ids.task or "unknown"
        carrier = {"traceparent": ids.traceparent} if ids.traceparent else {}
        named = {"job_id": ids.job_id, "correlation_id": ids.correlation_id, "task": ids.task}
        self._span = telemetry.tracer.start_span(
            f"job {self._task}",
            context=TraceContextTextMapPropagator().extract(carrier),
            kind=SpanKind.CONSUMER,
            attributes={f"{PREFIX}.{name}": value for name, value in named.items() if value is not None},
        )
        self.trace_id = f"{self._span.get_span_context().trace_id:032x}"

    def phase_ended(self, phase: JobPhase, seconds: float) -> None:
        ended = time.time_ns()
        below = set_span_in_context(self._span)
        span = self._telemetry.tracer.start_span(phase.value, context=below, start_time=ended - int(seconds * 1e9))
        span.end(ended)

    def end(self, seconds: float, metrics: Mapping[ContainerMetric, float], error: JobErrorCode | None = None) -> None:
        told = self._telemetry
        about = {"task": self._task, "outcome": error.value if error else "succeeded"}
        if error is not None:
            self._span.set_attribute("error.type", error.value)
            self._span.set_status(Status(StatusCode.ERROR, error.value))
        self._span.end()
        told.jobs.add(1, about)
        told.seconds.record(seconds, about)
        for metric, value in metrics.items():
            if metric in told.gauges:
                told.gauges[metric].set(value)
            else:
                told.counters[metric].add(value, {"task": self._task})


def metric_name(metric: ContainerMetric) -> str:
    """OpenTelemetry's name of a metric: `generate_on_cloud.job_cost_usd` for `JobCostUsd`."""
    return f"{PREFIX}.{re.sub('(?<!^)(?=[A-Z])', '_', metric.value).lower()}"

"""What a worker tells OpenTelemetry about its jobs; nothing, and nothing is imported, without an endpoint."""

from collections.abc import Mapping

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.metrics import ContainerMetric
from generate_on_cloud.contract.trace_context import read_traceparent
from inference_container.request_document import Ids


class JobSpan:
    """One job's span; this one is recorded nowhere."""

    def __init__(self, ids: Ids) -> None:
        context = read_traceparent(ids.traceparent)
        self.trace_id = context.trace_id if context else None

    def phase_ended(self, phase: JobPhase, seconds: float) -> None:
        """A phase that took so long has just ended."""

    def end(self, seconds: float, metrics: Mapping[ContainerMetric, float], error: JobErrorCode | None = None) -> None:
        """The job has ended after `seconds`; `error` if it did not succeed."""


class Telemetry:
    """Records nothing."""

    def begin(self, ids: Ids) -> JobSpan:
        """A job begins."""
        return JobSpan(ids)

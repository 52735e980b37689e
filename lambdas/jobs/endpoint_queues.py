"""Whether the queue that a job waits in is still there: SageMaker keeps it with the endpoint, and drops it with it."""

from dataclasses import dataclass, field

from lambdas.endpoints.sagemaker import LiveEndpoint, SageMakerEndpoints
from lambdas.jobs.record import JobRecord

_WITHOUT_QUEUE = frozenset({"Failed", "OutOfService", "Deleting"})
"""SageMaker's words for endpoints that take nothing from their queues any more: they can only be deleted."""


@dataclass
class EndpointQueues:
    """Asks SageMaker once for each endpoint, until it is to `forget`."""

    endpoints: SageMakerEndpoints
    _seen: dict[str, LiveEndpoint | None] = field(default_factory=dict)

    def why_lost(self, job: JobRecord) -> str | None:
        """What became of the queue that the job was handed to; None when it is there."""
        name, live = job.endpoint, self._live(job.endpoint)
        if live is None:
            return f"The endpoint {name} was deleted."
        if live.status in _WITHOUT_QUEUE:
            return f"The endpoint {name} is {live.status}" + (
                f": {live.failure_reason}" if live.failure_reason else "."
            )
        if live.created_at is not None and live.created_at > job.handed_over_at:
            return f"The endpoint {name} was replaced by another one of its name."
        return None

    def may_come(self, job: JobRecord) -> bool:
        """Whether an endpoint of the job's name takes jobs, or may do so soon."""
        live = self._live(job.endpoint)
        return live is not None and live.status not in _WITHOUT_QUEUE

    def forget(self) -> None:
        """Look again at the next question."""
        self._seen.clear()

    def _live(self, name: str) -> LiveEndpoint | None:
        if name not in self._seen:
            self._seen[name] = self.endpoints.describe(name)
        return self._seen[name]

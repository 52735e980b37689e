"""A job as stored in its row of the jobs table, and the row of a new one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.errors import FieldError, JobError, JobErrorCode
from generate_on_cloud.contract.jobs import DEFAULT_RETRIES, DEFAULT_RUN_TIMEOUT_S, JobStatus, Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.webhooks import DeliveryView, Webhook
from lambdas.access.usage import Charge
from lambdas.aws.rows import attributes

IS_OPEN = "1"


@dataclass(frozen=True)
class JobRecord:
    """One row: each field is the attribute of its name (`lambdas.aws.rows.read_record` reads it).

    Fields that a client sends have the same names in `CreateJob`; those that a view, a webhook or the container's
    request document show unchanged have the same names there. `fields_of` copies them.
    """

    job_id: str
    owner: str
    task: Task
    status: JobStatus
    endpoint: str
    created_at: datetime
    checkpoint: str | None = None
    """File name once resolved; until then, the name that the client sent."""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    params_key: str | None = None
    request_key: str | None = None
    output_key: str | None = None
    failure_key: str | None = None
    thumbnail: bool = False
    """Whether its first picture is stored small, too."""
    cancel_requested: bool = False
    skips: int = 0
    """How often the client has asked to end the batch that was being drawn."""
    preview: bool = False
    """Whether the client wants to see the job's pictures while it runs."""
    error: JobError | None = None
    progress: Progress | None = None
    heartbeat_at: Decimal | None = None
    """Epoch seconds."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    starred: bool = False
    prompt: str = ""
    """The beginning of its prompt, on one line."""
    models: tuple[ResolvedModel, ...] = ()
    """The files that the request was resolved to."""
    strict: bool = False
    """Whether any param that would be ignored is refused instead."""
    warnings: tuple[FieldError, ...] = ()
    """Params that were ignored, and why."""
    ttl_s: int | None = None
    run_timeout_s: int | None = None
    retries: int = DEFAULT_RETRIES
    """How often it is queued again after a worker was lost."""
    retry_of: str | None = None
    correlation_id: str | None = None
    """From the API request that created it."""
    traceparent: str | None = None
    """W3C trace context of that request."""
    sends: int = 0
    """How often it was sent to its endpoint again."""
    sent_again_at: datetime | None = None
    refusals: int = 0
    """How many of these because a container of an older contract refused it."""
    worker_lost_at: datetime | None = None
    """When a worker was lost and it was queued again, the last time."""
    losses: int = 0
    """How often that happened; rows of older releases have only the time."""
    retry_at: datetime | None = None
    """Before this time it is not handed over again."""
    queue_lost_at: datetime | None = None
    """When its endpoint's queue was found to be gone; None again once an endpoint has taken the job."""
    megapixel_steps: Decimal = Decimal(0)
    """Width × height / 10⁶ × steps × pictures, by which its run time is estimated; 0 for a task without steps."""
    charge: Charge | None = None
    """What it counts against its owner's quotas; None if there were none."""
    counted: bool = False
    """Whether it counts as an open job of its endpoint; jobs of older releases do not."""
    webhook: Webhook | None = None
    deliveries: tuple[DeliveryView, ...] = ()
    """Attempts to deliver the webhook, oldest first."""
    open: str | None = None
    """`IS_OPEN` until its end has been counted; one index lists all rows that have it."""

    @property
    def run_seconds_allowed(self) -> int:
        """After so long SageMaker drops the request to the container."""
        return self.run_timeout_s or DEFAULT_RUN_TIMEOUT_S

    @property
    def lost_workers(self) -> int:
        """How often it was queued again because its worker was lost."""
        return max(self.losses, 1 if self.worker_lost_at is not None else 0)

    @property
    def pauses_until(self) -> datetime | None:
        """When it is handed over after a lost worker; None if it does not wait for that."""
        waits = self.status is JobStatus.QUEUED and self.output_key is None and self.sent_again_at is None
        return self.retry_at if waits else None

    @property
    def uncertain_sends(self) -> int:
        """How often it was sent again because nobody knew whether the endpoint had it."""
        # Each loss counts as one, and the later ones are handed over by another.
        return self.sends - self.refusals - self.lost_workers - max(0, self.lost_workers - 1)

    @property
    def handed_over_at(self) -> datetime:
        """When it was handed to its endpoint, the last time."""
        return max(filter(None, (self.created_at, self.queued_at, self.sent_again_at)))

    @property
    def used_up_its_time(self) -> bool:
        """Whether its worker lived for about as long as the run may take: SageMaker then dropped the request, and the
        worker was not lost."""
        if self.heartbeat_at is None or self.started_at is None:
            return False
        # The run began before the worker could claim the job, and the last heartbeat may be old by a few seconds.
        slack = min(30.0, self.run_seconds_allowed / 5)
        return float(self.heartbeat_at) - self.started_at.timestamp() >= self.run_seconds_allowed - slack

    @property
    def log_ids(self) -> dict[str, str | None]:
        """Fields for every log line about it (`extra`)."""
        ids = {"job_id": self.job_id, "correlation_id": self.correlation_id}
        return {**ids, "trace_id": self.traceparent.split("-")[1]} if self.traceparent else {**ids}

    @property
    def settled(self) -> bool:
        """Whether its end has been counted."""
        return self.open is None

    @property
    def queued_seconds(self) -> float | None:
        """Seconds from queued to running."""
        return _seconds(self.queued_at, self.started_at)

    @property
    def run_seconds(self) -> float | None:
        """Seconds from running to finished."""
        return _seconds(self.started_at, self.finished_at)

    @property
    def gpu_seconds(self) -> Decimal:
        """How long a worker had it: until its end, or the last heartbeat of a lost worker; 0 if none ever had it."""
        if self.started_at is None or self.finished_at is None:
            return Decimal(0)
        end = self.finished_at.timestamp()
        if self.error is not None and self.error.code is JobErrorCode.WORKER_LOST and self.heartbeat_at is not None:
            end = float(self.heartbeat_at)
        return Decimal(f"{max(0.0, end - self.started_at.timestamp()):.3f}")

    def new_row(self, *, retention_days: int) -> dict[str, object]:
        """The row's attributes when the job is created."""
        expires_at = int((self.created_at + timedelta(days=retention_days)).timestamp())
        # Conditions compare `sends`, so even the first row has it.
        return {**attributes(self), "sends": self.sends, "expires_at": expires_at}


def fields_of(source: object, *, among: Iterable[str]) -> dict[str, Any]:
    """The fields in `among` that `source` has, with its values."""
    return {name: getattr(source, name) for name in among if hasattr(source, name)}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()

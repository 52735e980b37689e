"""A job as its row in the jobs table has it, and the row of a new one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.errors import FieldError, JobError
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.webhooks import DeliveryView, Webhook
from lambdas.access.usage import Charge
from lambdas.aws.rows import attributes

IS_OPEN = "1"


@dataclass(frozen=True)
class JobRecord:
    """One row: each field is the attribute of its name (`lambdas.aws.rows.read_record` reads it).

    What a client asks for has the name of its field in `CreateJob`; what a view, a webhook or the container's request
    document says of the job as it is has the same name there. `fields_of` copies them.
    """

    job_id: str
    owner: str
    task: Task
    status: JobStatus
    endpoint: str
    created_at: datetime
    checkpoint: str | None = None
    """File name once resolved; before that, as the client named it."""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    params_key: str | None = None
    request_key: str | None = None
    output_key: str | None = None
    failure_key: str | None = None
    cancel_requested: bool = False
    preview: bool = False
    """The client wants to see the job while it runs."""
    error: JobError | None = None
    progress: Progress | None = None
    heartbeat_at: Decimal | None = None
    """Epoch seconds."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    models: tuple[ResolvedModel, ...] = ()
    """The files it was resolved to."""
    strict: bool = False
    """Nothing of its params may be ignored."""
    warnings: tuple[FieldError, ...] = ()
    """What of its params was ignored, and why."""
    ttl_s: int | None = None
    run_timeout_s: int | None = None
    retry_of: str | None = None
    correlation_id: str | None = None
    """Of the API request it began with."""
    sends: int = 0
    """Times it was handed to its endpoint again."""
    sent_again_at: datetime | None = None
    refusals: int = 0
    """How many of these because a container of an older contract refused it."""
    worker_lost_at: datetime | None = None
    """When its first worker was lost and it was queued once more."""
    charge: Charge | None = None
    """What it counts against its owner's quotas; None when there were none."""
    counted: bool = False
    """It is one of the open jobs of its endpoint, as they are counted; those of older releases never were."""
    webhook: Webhook | None = None
    deliveries: tuple[DeliveryView, ...] = ()
    """Attempts to deliver the webhook, oldest first."""
    open: str | None = None
    """`IS_OPEN` until its end has been counted; an index holds all that have it."""

    @property
    def log_ids(self) -> dict[str, str | None]:
        """Fields of every log line about it (`extra`)."""
        return {"job_id": self.job_id, "correlation_id": self.correlation_id}

    @property
    def settled(self) -> bool:
        """Whether its end has been counted."""
        return self.open is None

    @property
    def queued_seconds(self) -> float | None:
        """From queued to running."""
        return _seconds(self.queued_at, self.started_at)

    @property
    def run_seconds(self) -> float | None:
        """From running to the end."""
        return _seconds(self.started_at, self.finished_at)

    def new_row(self, *, retention_days: int) -> dict[str, object]:
        """Attributes of the row when the job is made."""
        expires_at = int((self.created_at + timedelta(days=retention_days)).timestamp())
        # Conditions compare `sends`, so even the first row has it.
        return {**attributes(self), "sends": self.sends, "expires_at": expires_at}


def fields_of(source: object, *, among: Iterable[str]) -> dict[str, Any]:
    """Those of the fields that `source` has, with its values: what a job and its view have in common."""
    return {name: getattr(source, name) for name in among if hasattr(source, name)}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()

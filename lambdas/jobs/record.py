"""Rows of the jobs table, read, and the row of a new job."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.errors import JobError
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.webhooks import DeliveryView, Webhook
from lambdas.access.usage import Charge
from lambdas.aws.rows import timestamp
from lambdas.jobs.lists import OPEN


@dataclass(frozen=True)
class JobRecord:
    """One row, read."""

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
    settled: bool = False
    """Its end has been counted."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "JobRecord":
        def moment(name: str) -> datetime | None:
            return datetime.fromisoformat(row[name]) if name in row else None

        return cls(
            job_id=row["job_id"],
            owner=row["owner"],
            task=Task(row["task"]),
            status=JobStatus(row["status"]),
            endpoint=row["endpoint"],
            created_at=datetime.fromisoformat(row["created_at"]),
            checkpoint=row.get("checkpoint"),
            queued_at=moment("queued_at"),
            started_at=moment("started_at"),
            finished_at=moment("finished_at"),
            params_key=row.get("params_key"),
            request_key=row.get("request_key"),
            output_key=row.get("output_key"),
            failure_key=row.get("failure_key"),
            cancel_requested=bool(row.get("cancel_requested", False)),
            preview=bool(row.get("preview", False)),
            error=JobError.model_validate(row["error"]) if "error" in row else None,
            progress=Progress.model_validate(row["progress"]) if "progress" in row else None,
            heartbeat_at=row.get("heartbeat_at"),
            metadata=row.get("metadata", {}),
            models=tuple(ResolvedModel.model_validate(model) for model in row.get("models", ())),
            ttl_s=int(row["ttl_s"]) if "ttl_s" in row else None,
            run_timeout_s=int(row["run_timeout_s"]) if "run_timeout_s" in row else None,
            retry_of=row.get("retry_of"),
            correlation_id=row.get("correlation_id"),
            sends=int(row.get("sends", 0)),
            sent_again_at=moment("sent_again_at"),
            refusals=int(row.get("refusals", 0)),
            worker_lost_at=moment("worker_lost_at"),
            charge=Charge(**row["charge"]) if "charge" in row else None,
            counted=bool(row.get("counted", False)),
            webhook=Webhook.model_validate(row["webhook"]) if "webhook" in row else None,
            deliveries=tuple(DeliveryView.model_validate(line) for line in row.get("deliveries", ())),
            settled=OPEN not in row,
        )

    @property
    def log_ids(self) -> dict[str, str | None]:
        """Fields of every log line about it (`extra`)."""
        return {"job_id": self.job_id, "correlation_id": self.correlation_id}

    def new_row(self, *, retention_days: int) -> dict[str, object]:
        """Attributes of the row when the job is made."""
        return {
            "job_id": self.job_id,
            "owner": self.owner,
            OPEN: "1",
            "task": self.task.value,
            "status": self.status.value,
            "checkpoint": self.checkpoint,
            "preview": self.preview or None,
            "endpoint": self.endpoint,
            "created_at": timestamp(self.created_at),
            "queued_at": timestamp(self.queued_at) if self.queued_at else None,
            "params_key": self.params_key,
            "request_key": self.request_key,
            "metadata": dict(self.metadata) or None,
            "models": model_rows(self.models),
            "ttl_s": self.ttl_s,
            "run_timeout_s": self.run_timeout_s,
            "retry_of": self.retry_of,
            "correlation_id": self.correlation_id,
            "sends": self.sends,
            "charge": asdict(self.charge) if self.charge else None,
            "counted": self.counted or None,
            "webhook": self.webhook.model_dump(mode="json") if self.webhook else None,
            "expires_at": int((self.created_at + timedelta(days=retention_days)).timestamp()),
        }


def model_rows(models: Sequence[ResolvedModel]) -> list[dict[str, object]] | None:
    """The files a job was resolved to as its row has them."""
    return [model.model_dump(mode="json") for model in models] or None

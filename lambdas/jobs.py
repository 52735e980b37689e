"""Rows of the jobs table and every transition this side may make, each one conditional update."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from inference_container.contract.api import ResolvedModel
from inference_container.contract.errors import JobError
from inference_container.contract.jobs import TERMINAL, JobStatus, Task, statuses_before
from inference_container.contract.messages import Progress
from inference_container.contract.webhooks import DeliveryView, Webhook
from lambdas.access_table import put_new, transact
from lambdas.aws_errors import CONDITION_FAILED, error_code
from lambdas.items import from_item, timestamp, to_item
from lambdas.settlement import Settlement
from lambdas.usage import Charge

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LOG = logging.getLogger(__name__)

OPEN = "open"
"""Stands for every status that is not terminal in `owner_state`: the container moves a job from `queued` to `running`
and knows nothing of our indexes."""


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
            webhook=Webhook.model_validate(row["webhook"]) if "webhook" in row else None,
            deliveries=tuple(DeliveryView.model_validate(line) for line in row.get("deliveries", ())),
            settled="open" not in row,
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
            "owner_task": f"{self.owner}#{self.task}",
            "owner_state": owner_state(self.owner, self.status),
            "open": "1",
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
            "models": _model_rows(self.models),
            "ttl_s": self.ttl_s,
            "run_timeout_s": self.run_timeout_s,
            "retry_of": self.retry_of,
            "correlation_id": self.correlation_id,
            "sends": self.sends,
            "charge": asdict(self.charge) if self.charge else None,
            "webhook": self.webhook.model_dump(mode="json") if self.webhook else None,
            "expires_at": int((self.created_at + timedelta(days=retention_days)).timestamp()),
        }


def _model_rows(models: Sequence[ResolvedModel]) -> list[dict[str, object]] | None:
    return [model.model_dump(mode="json") for model in models] or None


def owner_state(owner: str, status: JobStatus) -> str:
    """Partition of the `owner_state-created_at` index."""
    return f"{owner}#{status if status in TERMINAL else OPEN}"


@dataclass(frozen=True)
class JobStore:
    client: "DynamoDBClient"
    table: str
    settlement: Settlement

    def get(self, job_id: str) -> JobRecord | None:
        answer = self.client.get_item(TableName=self.table, Key=to_item({"job_id": job_id}), ConsistentRead=True)
        return JobRecord.from_row(from_item(answer["Item"])) if "Item" in answer else None

    def put(self, job: JobRecord, *, retention_days: int) -> None:
        """Add the row of a new job.

        Raises:
            ClientError: ConditionalCheckFailedException when the id is taken.
        """
        self.client.put_item(
            TableName=self.table,
            Item=to_item(job.new_row(retention_days=retention_days)),
            ConditionExpression="attribute_not_exists(job_id)",
        )

    def put_admitted(
        self, job: JobRecord, admission: Sequence[Mapping[str, Any]], *, retention_days: int
    ) -> tuple[int, ...]:
        """Add the row of a new job together with what counts it; which of `admission` was refused, empty when none."""
        row = put_new(self.table, job.new_row(retention_days=retention_days), key="job_id")
        return transact(self.client, [*admission, row])

    def delete(self, job: JobRecord) -> bool:
        """Forget a job that has ended; False when it was already gone."""
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=to_item({"job_id": job.job_id}),
                ConditionExpression="#status = :seen",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item({":seen": job.status.value}),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

    def remove_unsent(self, job: JobRecord) -> None:
        """Take back a job that its endpoint never got, and what it was counted as.

        Does nothing when somebody already works on it or ended it.
        """
        if job.charge is not None:
            self._remove_charged(job, job.charge)
            return
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=to_item({"job_id": job.job_id}),
                ConditionExpression="#status = :queued",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item({":queued": JobStatus.QUEUED.value}),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise

    def _remove_charged(self, job: JobRecord, charge: Charge) -> None:
        deletion = {
            "Delete": {
                "TableName": self.table,
                "Key": to_item({"job_id": job.job_id}),
                "ConditionExpression": "#status = :queued",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": to_item({":queued": JobStatus.QUEUED.value}),
            }
        }
        transact(self.client, [deletion, *self.settlement.usage.release(charge, unsent=True)])

    def queue(
        self,
        job_id: str,
        *,
        checkpoint: str | None,
        models: Sequence[ResolvedModel],
        request_key: str,
        now: datetime,
    ) -> JobRecord | None:
        """`created → queued`; None when the job is not `created`."""
        return self._change(
            job_id,
            {
                "status": JobStatus.QUEUED.value,
                "checkpoint": checkpoint,
                "models": _model_rows(models),
                "request_key": request_key,
                "queued_at": timestamp(now),
            },
            allowed=(JobStatus.CREATED,),
        )

    def unqueue(self, job_id: str, *, checkpoint: str | None) -> JobRecord | None:
        """Back to `created` when the endpoint did not take the job, so that it can be started again."""
        removed = ("request_key", "queued_at", "models", *(() if checkpoint else ("checkpoint",)))
        values = {"status": JobStatus.CREATED.value, "checkpoint": checkpoint}
        return self._change(job_id, values, allowed=(JobStatus.QUEUED,), removed=removed)

    def keep_locations(self, job: JobRecord, *, output_key: str | None, failure_key: str | None) -> JobRecord | None:
        """Note where SageMaker will put the answer; touches no status, a finish may already be there.

        None when the job was sent once more meanwhile: then its answer comes elsewhere.
        """
        locations = {"output_key": output_key, "failure_key": failure_key}
        return self._change(job.job_id, locations, allowed=tuple(JobStatus), expected={"sends": job.sends})

    def mark_sent_again(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count one more attempt to hand over a queued job; None when it changed or has its locations."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "sent_again_at": timestamp(now)},
            allowed=(JobStatus.QUEUED,),
            expected={"sends": job.sends},
            absent=("output_key",),
        )

    def mark_refused(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count a refusal by a container of an older contract, and another attempt; None when the job changed."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "refusals": job.refusals + 1, "sent_again_at": timestamp(now)},
            allowed=(JobStatus.QUEUED,),
            removed=("output_key", "failure_key"),
            expected={"sends": job.sends},
        )

    def requeue(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """`running → queued` because its worker was lost; None when it changed, or was lost before."""
        return self._change(
            job.job_id,
            {
                "status": JobStatus.QUEUED.value,
                "queued_at": timestamp(now),
                "worker_lost_at": timestamp(now),
                "sends": job.sends + 1,
            },
            allowed=(JobStatus.QUEUED, JobStatus.RUNNING),
            removed=(
                "started_at",
                "worker_id",
                "heartbeat_at",
                "progress",
                "output_key",
                "failure_key",
                "sent_again_at",
            ),
            expected={"sends": job.sends, "heartbeat_at": job.heartbeat_at},
            absent=("worker_lost_at", "cancel_requested", *(() if job.heartbeat_at is not None else ("heartbeat_at",))),
        )

    def request_cancel(self, job_id: str) -> JobRecord | None:
        """Ask the worker to stop; None when the job is not `running`."""
        return self._change(job_id, {"cancel_requested": True}, allowed=(JobStatus.RUNNING,))

    def finish(
        self,
        job: JobRecord,
        status: JobStatus,
        *,
        now: datetime,
        allowed: tuple[JobStatus, ...] = (),
        error: JobError | None = None,
        output_key: str | None = None,
        failure_key: str | None = None,
        heartbeat_seen: Decimal | None = None,
    ) -> JobRecord | None:
        """End the job and settle it; None when its status may not become `status` (any more).

        `open` stays on the row until the job is settled, here or by the sweeper.

        Args:
            allowed: The statuses it may end from; empty: all from which the contract lets it enter `status`.
            heartbeat_seen: End it only if no worker has written another heartbeat since.
        """
        ended = self._change(
            job.job_id,
            {
                "status": status.value,
                "finished_at": timestamp(now),
                "error": error.model_dump(mode="json") if error else None,
                "output_key": output_key,
                "failure_key": failure_key,
                "owner_state": owner_state(job.owner, status),
            },
            allowed=allowed or statuses_before(status),
            expected={"heartbeat_at": heartbeat_seen},
        )
        if ended is not None:
            try:
                self.settlement.settle(ended)
            except (ClientError, BotoCoreError):
                _LOG.exception("job %s has ended and is settled later", job.job_id)
        return ended

    def log_delivery(self, job_id: str, line: Mapping[str, object]) -> None:
        """Add an attempt to deliver the job's webhook; nothing when the job is gone."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=to_item({"job_id": job_id}),
                UpdateExpression="SET deliveries = list_append(if_not_exists(deliveries, :none), :line)",
                ConditionExpression="attribute_exists(job_id)",
                ExpressionAttributeValues=to_item({":none": [], ":line": [dict(line)]}),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise

    def _change(
        self,
        job_id: str,
        values: Mapping[str, object],
        *,
        allowed: tuple[JobStatus, ...],
        removed: tuple[str, ...] = (),
        expected: Mapping[str, object] | None = None,
        absent: tuple[str, ...] = (),
    ) -> JobRecord | None:
        """Set attributes if the status is `allowed`, `expected` ones are as given and `absent` ones are not there.

        Returns the row after, or None.
        """
        settable = {name: value for name, value in values.items() if value is not None}
        expected = {name: value for name, value in (expected or {}).items() if value is not None}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in settable)
        if removed:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        statuses = {f":allowed{number}": status.value for number, status in enumerate(allowed)}
        condition = f"#status IN ({', '.join(statuses)})"
        condition += "".join(f" AND #{name} = :expected_{name}" for name in expected)
        condition += "".join(f" AND attribute_not_exists(#{name})" for name in absent)
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key=to_item({"job_id": job_id}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    f"#{name}": name for name in {"status", *settable, *removed, *expected, *absent}
                },
                ExpressionAttributeValues=to_item(
                    {f":{name}": value for name, value in settable.items()}
                    | statuses
                    | {f":expected_{name}": value for name, value in expected.items()}
                ),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return None
        return JobRecord.from_row(from_item(answer["Attributes"]))

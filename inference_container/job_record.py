"""The job's row in DynamoDB as the container may write it: claimed, then kept alive; ending it is not ours."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import TERMINAL, JobPhase, JobStatus
from generate_on_cloud.contract.messages import Progress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOST_AFTER_SECONDS = 15.0
"""A running job whose heartbeat is older than this has no worker any more."""
CLAIM_PATIENCE_SECONDS = 20.0
"""How long a claim waits for another worker's heartbeat to grow that old: it may just have died."""

Row = Mapping[str, Any]
"""A DynamoDB item in the client's own notation: {"status": {"S": "queued"}, …}"""


@dataclass(frozen=True)
class JobRecords:
    """The jobs table, seen by one worker."""

    client: "DynamoDBClient"
    table: str
    worker_id: str
    clock: Callable[[], float] = time.time
    """Epoch seconds."""
    sleep: Callable[[float], None] = time.sleep

    def claim(self, job_id: str, *, check: Callable[[], None] = lambda: None) -> datetime | None:
        """`queued → running` under this worker, also from `running` when the worker that had it is gone.

        Returns when the job was queued, if its row says.

        `check` is called before each attempt and may raise to break off.

        Raises:
            JobFailed: CANCELED, the job was canceled or has ended; INTERNAL, there is no such job; RUNS_ELSEWHERE,
                another worker has it, and still has after CLAIM_PATIENCE_SECONDS. Nothing was written.
        """
        deadline = self.clock() + CLAIM_PATIENCE_SECONDS
        while True:
            check()
            row, claimed = self._try_claim(job_id)
            if claimed:
                refuse_canceled(row)
                return datetime.fromisoformat(row["queued_at"]["S"]) if "queued_at" in row else None
            status = row.get("status", {}).get("S")
            if status != JobStatus.RUNNING:
                raise _refusal(job_id, status)
            if self.clock() >= deadline:
                raise JobFailed(
                    JobErrorCode.RUNS_ELSEWHERE, f"job {job_id} is already running on worker {_text(row, 'worker_id')}"
                )
            self.sleep(1.0)

    def beat(self, job_id: str, progress: Progress) -> None:
        """Say that the job is alive and how far it is.

        Raises:
            JobFailed: CANCELED, the user asked for it; WORKER_LOST, the job is not ours any more.
            botocore.exceptions.ClientError, BotoCoreError: the table could not be reached.
        """
        row, ours = self._update(
            job_id,
            update="SET heartbeat_at = :now, progress = :progress",
            condition="#status = :running AND worker_id = :worker",
            values={
                ":now": {"N": f"{self.clock():.3f}"},
                ":progress": _progress(progress),
                ":running": {"S": JobStatus.RUNNING},
                ":worker": {"S": self.worker_id},
            },
        )
        if ours:
            refuse_canceled(row)
            return
        status = row.get("status", {}).get("S")
        if status == JobStatus.CANCELED:
            raise _refusal(job_id, status)
        raise JobFailed(
            JobErrorCode.WORKER_LOST,
            f"job {job_id} was taken from worker {self.worker_id}: it is {status or 'gone'}, "
            f"worker {_text(row, 'worker_id')}",
        )

    def _try_claim(self, job_id: str) -> tuple[Row, bool]:
        now = self.clock()
        return self._update(
            job_id,
            update=(
                "SET #status = :running, started_at = :started, worker_id = :worker, "
                "heartbeat_at = :now, progress = :progress"
            ),
            condition="#status = :queued OR (#status = :running AND heartbeat_at < :lost)",
            values={
                ":running": {"S": JobStatus.RUNNING},
                ":queued": {"S": JobStatus.QUEUED},
                ":started": {"S": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
                ":worker": {"S": self.worker_id},
                ":now": {"N": f"{now:.3f}"},
                ":lost": {"N": f"{now - LOST_AFTER_SECONDS:.3f}"},
                ":progress": _progress(Progress(phase=JobPhase.STARTING)),
            },
        )

    def _update(self, job_id: str, *, update: str, condition: str, values: dict[str, Any]) -> tuple[Row, bool]:
        """The row after the update and True, or the row as it is (empty: no such job) and False."""
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key={"job_id": {"S": job_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            refused: Mapping[str, Any] = error.response
            return refused.get("Item", {}), False
        return answer.get("Attributes", {}), True


def refuse_canceled(row: Row) -> None:
    """Raises JobFailed (CANCELED) when the user asked for the job to stop."""
    if row.get("cancel_requested", {}).get("BOOL"):
        raise JobFailed(JobErrorCode.CANCELED, "the job was canceled")


def _refusal(job_id: str, status: str | None) -> JobFailed:
    if status is None:
        return JobFailed(JobErrorCode.INTERNAL, f"there is no job {job_id}")
    if status == JobStatus.CANCELED:
        return JobFailed(JobErrorCode.CANCELED, "the job was canceled")
    if status in TERMINAL:
        return JobFailed(JobErrorCode.CANCELED, f"job {job_id} has already ended ({status}); nothing was done")
    return JobFailed(JobErrorCode.INTERNAL, f"job {job_id} is {status}, it cannot be run")


def _text(row: Row, name: str) -> str:
    return str(row.get(name, {}).get("S", "unknown"))


def _progress(progress: Progress) -> dict[str, Any]:
    return {
        "M": {
            "phase": {"S": progress.phase},
            "step": {"N": str(progress.step)},
            "steps": {"N": str(progress.steps)},
            "previews": {"N": str(progress.previews)},
        }
    }

"""A job's row in DynamoDB as the container writes it: it claims the job and sends heartbeats, but never ends it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import TERMINAL, JobPhase, JobStatus
from generate_on_cloud.contract.messages import Progress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOST_AFTER_SECONDS = 15.0
"""A running job whose heartbeat is older than this has lost its worker."""
CONFLICT_TRIES = 5
"""How often a write is tried that a transaction on the same row refuses."""
CLAIM_PATIENCE_SECONDS = 20.0
"""How long a claim waits for another worker's heartbeat to become that old, in case that worker has just died."""

_WANTED = "(attribute_not_exists(cancel_requested) OR cancel_requested = :false)"
"""Nobody has asked for the job to stop."""
_SEEN = "(attribute_not_exists(skips) OR skips = :skips)"
"""Nobody has asked for another batch to be skipped."""

Row = Mapping[str, Any]
"""A DynamoDB item in the client's notation: {"status": {"S": "queued"}, …}"""


@dataclass(frozen=True)
class JobRecords:
    """One worker's access to the jobs table."""

    client: "DynamoDBClient"
    table: str
    worker_id: str
    clock: Callable[[], float] = time.time
    """Epoch seconds."""
    sleep: Callable[[float], None] = time.sleep

    def claim(self, job_id: str, *, check: Callable[[], None] = lambda: None) -> datetime | None:
        """Claim a job that is queued, or that is running but has lost its worker.

        Returns when the job was queued, if its row has that time.

        `check` is called before each attempt and may raise to abort.

        Raises:
            JobFailed: CANCELED if the job was canceled or has finished; INTERNAL if it does not exist; RUNS_ELSEWHERE
                if another worker still runs it after CLAIM_PATIENCE_SECONDS. Nothing was written.
        """
        deadline = self.clock() + CLAIM_PATIENCE_SECONDS
        while True:
            check()
            claimed = self._try_claim(job_id)
            row = self._read(job_id)
            if claimed:
                return datetime.fromisoformat(row["queued_at"]["S"]) if "queued_at" in row else None
            refuse_canceled(row)
            status = row.get("status", {}).get("S")
            if status != JobStatus.RUNNING:
                raise _refusal(job_id, status)
            if self.clock() >= deadline:
                raise JobFailed(
                    JobErrorCode.RUNS_ELSEWHERE, f"job {job_id} is already running on worker {_text(row, 'worker_id')}"
                )
            self.sleep(1.0)

    def beat(self, job_id: str, progress: Progress, *, skips: int = 0) -> int:
        """Write the job's heartbeat and progress.

        Returns how often the user has asked to skip a batch; `skips` is what the last beat returned.

        Raises:
            JobFailed: CANCELED if the user canceled the job; WORKER_LOST if another worker has taken it.
            botocore.exceptions.ClientError, BotoCoreError: the table could not be reached.
        """
        ours = self._update(
            job_id,
            update="SET heartbeat_at = :now, progress = :progress",
            condition=f"#status = :running AND worker_id = :worker AND {_WANTED} AND {_SEEN}",
            values={
                ":now": {"N": f"{self.clock():.3f}"},
                ":progress": _progress(progress),
                ":running": {"S": JobStatus.RUNNING},
                ":worker": {"S": self.worker_id},
                ":skips": {"N": str(skips)},
            },
        )
        if ours:
            return skips
        row = self._read(job_id)
        refuse_canceled(row)
        asked = int(row.get("skips", {}).get("N", "0"))
        if asked != skips:
            return self.beat(job_id, progress, skips=asked)
        status = row.get("status", {}).get("S")
        if status == JobStatus.CANCELED:
            raise _refusal(job_id, status)
        raise JobFailed(
            JobErrorCode.WORKER_LOST,
            f"job {job_id} was taken from worker {self.worker_id}: it is {status or 'gone'}, "
            f"worker {_text(row, 'worker_id')}",
        )

    def _try_claim(self, job_id: str) -> bool:
        now = self.clock()
        return self._update(
            job_id,
            update=(
                "SET #status = :running, started_at = :started, worker_id = :worker, "
                "heartbeat_at = :now, progress = :progress"
            ),
            condition=f"(#status = :queued OR (#status = :running AND heartbeat_at < :lost)) AND {_WANTED}",
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

    def _update(self, job_id: str, *, update: str, condition: str, values: dict[str, Any]) -> bool:
        """Whether the row met the condition and was updated. Nothing of the row is returned: it is the user's."""
        for tried in count(1):
            try:
                self.client.update_item(
                    TableName=self.table,
                    Key={"job_id": {"S": job_id}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={**values, ":false": {"BOOL": False}},
                )
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code == "ConditionalCheckFailedException":
                    return False
                # A transaction of the API is writing the row; boto3 does not repeat this by itself.
                if code != "TransactionConflictException" or tried == CONFLICT_TRIES:
                    raise
                self.sleep(0.1 * tried)
            else:
                return True
        raise AssertionError("unreachable")

    def _read(self, job_id: str) -> Row:
        """What a worker may know of the row; empty if the job does not exist."""
        answer = self.client.get_item(
            TableName=self.table,
            Key={"job_id": {"S": job_id}},
            ConsistentRead=True,
            ProjectionExpression="#status, worker_id, cancel_requested, queued_at, skips",
            ExpressionAttributeNames={"#status": "status"},
        )
        return answer.get("Item", {})


def refuse_canceled(row: Row) -> None:
    """Raise JobFailed (CANCELED) if the user has canceled the job."""
    if row.get("cancel_requested", {}).get("BOOL"):
        raise JobFailed(JobErrorCode.CANCELED, "the job was canceled")


def _refusal(job_id: str, status: str | None) -> JobFailed:
    if status is None:
        return JobFailed(JobErrorCode.INTERNAL, f"job {job_id} does not exist")
    if status == JobStatus.CANCELED:
        return JobFailed(JobErrorCode.CANCELED, "the job was canceled")
    if status in TERMINAL:
        return JobFailed(JobErrorCode.CANCELED, f"job {job_id} has already finished ({status}); nothing was done")
    return JobFailed(JobErrorCode.INTERNAL, f"job {job_id} is {status} and cannot be run")


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

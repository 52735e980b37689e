"""Lists of jobs: keys from an index, then the rows themselves, so that a heartbeat never has to write an index.

owner-created_at         all jobs of a user
owner_task-created_at    one task's
owner_state-created_at   one status's: each terminal status has its partition, the others share `open` (never many)
open-created_at          open jobs of all users, for the sweeper
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from inference_container.contract.jobs import JobStatus, Task
from lambdas.batch_reads import BATCH, batch_get
from lambdas.cursors import decode_cursor, encode_cursor, invalid_cursor
from lambdas.items import from_item, is_id, timestamp, to_item
from lambdas.jobs import JobRecord, owner_state

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class JobFilter:
    owner: str
    task: Task | None = None
    status: JobStatus | None = None

    def partition(self) -> tuple[str, str]:
        """The index partition key that holds these jobs: attribute and value."""
        if self.status is not None:
            return "owner_state", owner_state(self.owner, self.status)
        if self.task is not None:
            return "owner_task", f"{self.owner}#{self.task}"
        return "owner", self.owner

    def takes(self, job: JobRecord) -> bool:
        return self.task in (None, job.task) and self.status in (None, job.status)


@dataclass(frozen=True)
class JobPages:
    client: "DynamoDBClient"
    table: str

    def newest(self, wanted: JobFilter, *, limit: int, cursor: str | None) -> tuple[list[JobRecord], str | None]:
        """Up to `limit` jobs, newest first, and the cursor of the next page; fewer only when there are no more.

        Two calls, unless rows of the partition are passed over: those of another task when both filters are set, or
        other open ones.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        attribute, value = wanted.partition()
        after = None if cursor is None else {attribute: value, **_position(cursor)}
        jobs: list[JobRecord] = []
        for keys in self._keys(attribute, value, after=after, newest_first=True, size=limit + 1):
            jobs.extend(job for job in self.rows(keys) if wanted.takes(job))
            if len(jobs) > limit:
                last = jobs[limit - 1]
                return jobs[:limit], encode_cursor([timestamp(last.created_at), last.job_id])
        return jobs, None

    def open_jobs(self) -> Iterator[list[JobRecord]]:
        """All jobs that have not ended, oldest first, in batches."""
        for keys in self._keys("open", "1", after=None, newest_first=False, size=BATCH):
            yield self.rows(keys)

    def rows(self, job_ids: Sequence[str]) -> list[JobRecord]:
        """The rows with these ids in this order; those that are gone are left out."""
        rows = batch_get(self.client, self.table, [{"job_id": job_id} for job_id in job_ids])
        found = {row["job_id"]: JobRecord.from_row(row) for row in rows}
        return [found[job_id] for job_id in job_ids if job_id in found]

    def _keys(
        self, attribute: str, value: str, *, after: dict[str, str] | None, newest_first: bool, size: int
    ) -> Iterator[list[str]]:
        while True:
            start: Any = {} if after is None else {"ExclusiveStartKey": to_item(after)}
            answer = self.client.query(
                TableName=self.table,
                IndexName=f"{attribute}-created_at",
                KeyConditionExpression="#partition = :value",
                ExpressionAttributeNames={"#partition": attribute},
                ExpressionAttributeValues=to_item({":value": value}),
                ProjectionExpression="job_id",
                ScanIndexForward=not newest_first,
                Limit=size,
                **start,
            )
            keys = [str(from_item(item)["job_id"]) for item in answer["Items"]]
            if keys:
                yield keys
            if "LastEvaluatedKey" not in answer:
                return
            after = {name: str(part) for name, part in from_item(answer["LastEvaluatedKey"]).items()}


def _position(cursor: str) -> dict[str, str]:
    created_at, job_id = decode_cursor(cursor, parts=2)
    try:
        moment = datetime.fromisoformat(created_at)
    except ValueError as error:
        raise invalid_cursor() from error
    if moment.tzinfo is None or timestamp(moment) != created_at or not is_id(job_id):
        raise invalid_cursor()
    return {"created_at": created_at, "job_id": job_id}

"""Lists of jobs: keys from an index, then the rows themselves, so that a heartbeat never has to write an index.

owner-created_at         all jobs of a user
owner_task-created_at    one task's
owner_state-created_at   one status's: each terminal status has its partition, the others share `open` (never many)
open-created_at          open jobs of all users, for the sweeper
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from inference_container.contract.jobs import JobStatus, Task
from lambdas.batch_reads import BATCH, batch_get
from lambdas.cursors import CursorSigner
from lambdas.items import from_item, timestamp, to_item
from lambdas.job_record import JobRecord, owner_state

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class JobFilter:
    owner: str
    task: Task | None = None
    status: JobStatus | None = None
    endpoint: str | None = None
    since: datetime | None = None
    """Made at this time or later."""
    until: datetime | None = None
    """Made before this time."""

    def partition(self) -> tuple[str, str]:
        """The index partition key that holds these jobs: attribute and value."""
        if self.status is not None:
            return "owner_state", owner_state(self.owner, self.status)
        if self.task is not None:
            return "owner_task", f"{self.owner}#{self.task}"
        return "owner", self.owner

    def takes(self, job: JobRecord) -> bool:
        return (
            self.task in (None, job.task)
            and self.status in (None, job.status)
            and self.endpoint in (None, job.endpoint)
        )

    def scope(self) -> str:
        """What a cursor of this list is good for."""
        return json.dumps([self.owner, self.task, self.status, self.endpoint, self.since, self.until], default=str)


@dataclass(frozen=True)
class JobPages:
    client: "DynamoDBClient"
    table: str
    signer: CursorSigner

    def newest(self, wanted: JobFilter, *, limit: int, cursor: str | None) -> tuple[list[JobRecord], str | None]:
        """Up to `limit` jobs, newest first, and the cursor of the next page; fewer only when there are no more.

        Two calls, unless rows of the partition are passed over: those of another endpoint, of another task when a
        status is asked for too, or other open ones.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        attribute, value = wanted.partition()
        after = None
        if cursor is not None:
            created_at, job_id = self.signer.read(cursor, scope=wanted.scope(), parts=2)
            after = {attribute: value, "created_at": created_at, "job_id": job_id}
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            return [], None
        jobs: list[JobRecord] = []
        for keys in self._keys(
            attribute, value, after=after, newest_first=True, size=limit + 1, since=wanted.since, until=wanted.until
        ):
            jobs.extend(job for job in self.rows(keys) if wanted.takes(job))
            if len(jobs) > limit:
                last = jobs[limit - 1]
                return jobs[:limit], self.signer.sign([timestamp(last.created_at), last.job_id], scope=wanted.scope())
        return jobs, None

    def open_before(self, job: JobRecord) -> int:
        """How many jobs that have not ended were made before this one; one call for some ten thousand."""
        answer = self.client.query(
            TableName=self.table,
            IndexName="open-created_at",
            KeyConditionExpression="#open = :open AND created_at < :made",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues=to_item({":open": "1", ":made": timestamp(job.created_at)}),
            Select="COUNT",
        )
        return answer["Count"]

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
        self,
        attribute: str,
        value: str,
        *,
        after: dict[str, str] | None,
        newest_first: bool,
        size: int,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[list[str]]:
        condition, values = _span(since, until)
        while True:
            start: Any = {} if after is None else {"ExclusiveStartKey": to_item(after)}
            answer = self.client.query(
                TableName=self.table,
                IndexName=f"{attribute}-created_at",
                KeyConditionExpression=f"#partition = :value{condition}",
                ExpressionAttributeNames={"#partition": attribute},
                ExpressionAttributeValues=to_item({":value": value, **values}),
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


def _span(since: datetime | None, until: datetime | None) -> tuple[str, dict[str, str]]:
    """The part of a key condition that keeps `since <= created_at < until`, and its values."""
    if since and until:
        # BETWEEN takes both ends in; times have microseconds.
        last = timestamp(until - timedelta(microseconds=1))
        return " AND created_at BETWEEN :since AND :last", {":since": timestamp(since), ":last": last}
    if since:
        return " AND created_at >= :since", {":since": timestamp(since)}
    if until:
        return " AND created_at < :until", {":until": timestamp(until)}
    return "", {}

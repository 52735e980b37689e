"""Lists of jobs: keys from an index, then the rows themselves, so that no heartbeat has to write an index."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.jobs import JobStatus, Task
from lambdas.assets.record import AssetRecord
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import BATCH, from_item, read_record, read_rows, timestamp, to_item
from lambdas.jobs.lists import OPEN, SORT, index_name
from lambdas.jobs.record import IS_OPEN, JobRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_OPEN_JOBS = index_name([OPEN])
"""The index of all owners' jobs that are not settled."""


@dataclass(frozen=True)
class JobFilter:
    owner: str
    task: Task | None = None
    status: JobStatus | None = None
    endpoint: str | None = None
    since: datetime | None = None
    """Created at this time or later."""
    until: datetime | None = None
    """Created before this time."""

    def partition(self) -> dict[str, str]:
        """The key of the list with these jobs: attributes and values, in the order of `JOB_LISTS`."""
        key = {"owner": self.owner, "task": self.task, "status": self.status, "endpoint": self.endpoint}
        return {name: value for name, value in key.items() if value is not None}

    def takes(self, job: JobRecord) -> bool:
        """Whether a job of the list (still) matches: an index lags a moment behind, and only statuses change."""
        return self.status in (None, job.status)

    def scope(self) -> str:
        """The list that a cursor belongs to."""
        return json.dumps([self.owner, self.task, self.status, self.endpoint, self.since, self.until], default=str)


@dataclass(frozen=True)
class JobPages:
    client: "DynamoDBClient"
    table: str
    signer: CursorSigner

    def newest(self, wanted: JobFilter, *, limit: int, cursor: str | None) -> tuple[list[JobRecord], str | None]:
        """Up to `limit` jobs, newest first, and the cursor of the next page; fewer only if there are no more.

        Two calls however long the history is; more only if jobs change their status at the same moment.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        partition = wanted.partition()
        after = None
        if cursor is not None:
            created_at, job_id = self.signer.read(cursor, scope=wanted.scope(), parts=2)
            after = {**partition, SORT: created_at, "job_id": job_id}
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            return [], None
        jobs: list[JobRecord] = []
        for keys in self._keys(
            partition, after=after, newest_first=True, size=limit + 1, since=wanted.since, until=wanted.until
        ):
            jobs.extend(job for job in self.rows(keys) if wanted.takes(job))
            if len(jobs) > limit:
                last = jobs[limit - 1]
                return jobs[:limit], self.signer.sign([timestamp(last.created_at), last.job_id], scope=wanted.scope())
        return jobs, None

    def open_before(self, job: JobRecord) -> int:
        """How many open jobs were created before this one; one call per some ten thousand."""
        answer = self.client.query(
            TableName=self.table,
            IndexName=_OPEN_JOBS,
            KeyConditionExpression="#open = :open AND created_at < :made",
            ExpressionAttributeNames={"#open": OPEN},
            ExpressionAttributeValues=to_item({":open": IS_OPEN, ":made": timestamp(job.created_at)}),
            Select="COUNT",
        )
        return answer["Count"]

    def open_jobs(self) -> Iterator[list[JobRecord]]:
        """All open jobs, oldest first, in batches."""
        for keys in self._keys({OPEN: "1"}, after=None, newest_first=False, size=BATCH):
            yield self.rows(keys)

    def user_of(self, asset: AssetRecord) -> str | None:
        """An open job that needs the asset, in words; None if there is none. Two calls per hundred open jobs."""
        for jobs in self.open_jobs():
            for job in jobs:
                if any(_is(asset, model) for model in job.models):
                    return f"job {job.job_id}, which is {job.status}"
        return None

    def rows(self, job_ids: Sequence[str]) -> list[JobRecord]:
        """The rows with these ids in this order; missing ones are left out."""
        rows = read_rows(self.client, {self.table: [{"job_id": job_id} for job_id in job_ids]})[self.table]
        found = {row["job_id"]: read_record(JobRecord, row) for row in rows}
        return [found[job_id] for job_id in job_ids if job_id in found]

    def _keys(
        self,
        partition: Mapping[str, str],
        *,
        after: dict[str, str] | None,
        newest_first: bool,
        size: int,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[list[str]]:
        span, times = _span(since, until)
        condition = " AND ".join(f"#{name} = :{name}" for name in partition)
        values = {f":{name}": value for name, value in partition.items()}
        while True:
            start: Any = {} if after is None else {"ExclusiveStartKey": to_item(after)}
            answer = self.client.query(
                TableName=self.table,
                IndexName=index_name(partition),
                KeyConditionExpression=condition + span,
                ExpressionAttributeNames={f"#{name}": name for name in partition},
                ExpressionAttributeValues=to_item(values | times),
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
    """The part of a key condition for `since <= created_at < until`, and its values."""
    if since and until:
        # BETWEEN includes both ends; times have microseconds.
        last = timestamp(until - timedelta(microseconds=1))
        return " AND created_at BETWEEN :since AND :last", {":since": timestamp(since), ":last": last}
    if since:
        return " AND created_at >= :since", {":since": timestamp(since)}
    if until:
        return " AND created_at < :until", {":until": timestamp(until)}
    return "", {}


def _is(asset: AssetRecord, model: ResolvedModel) -> bool:
    """Also by hash: the asset may have been renamed since the job was sent."""
    return model.type is asset.type and (model.name == asset.name or model.sha256 == asset.sha256)

"""Lists of jobs: keys from an index, then the rows themselves, so that no heartbeat has to write an index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from generate_on_cloud.contract.assets import ResolvedModel
from lambdas.assets.record import AssetRecord
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import BATCH, from_item, read_record, read_rows, timestamp, to_item
from lambdas.jobs.filters import JobFilter
from lambdas.jobs.lists import OPEN, SORT, index_name
from lambdas.jobs.record import IS_OPEN, JobRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_OPEN_JOBS = index_name([OPEN])
"""The index of all owners' jobs that are not settled."""
MAX_LOOKED_AT = 2000
"""Rows that one page may read to find what no index has."""


@dataclass(frozen=True)
class JobPages:
    client: "DynamoDBClient"
    table: str
    signer: CursorSigner

    def matching(self, wanted: JobFilter, *, limit: int, cursor: str | None) -> tuple[list[JobRecord], str | None]:
        """Up to `limit` jobs in the filter's order, and the cursor of the next page.

        Two calls however long the history is, and more only if jobs change their status at the same moment: a page
        has fewer jobs only if there are no more. If the filter asks for what no index has, it reads up to
        MAX_LOOKED_AT rows, two calls for each hundred; a page may then be short, or empty, and still have a cursor.

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
        looked_at, last = 0, None
        size = BATCH if wanted.reads_rows else limit + 1
        for keys in self._keys(partition, after=after, wanted=wanted, size=size):
            if last is not None and wanted.reads_rows and looked_at >= MAX_LOOKED_AT:
                return jobs, self._cursor(last, wanted)
            rows = self.rows(keys)
            jobs.extend(job for job in rows if wanted.takes(job))
            if len(jobs) > limit:
                return jobs[:limit], self._cursor(jobs[limit - 1], wanted)
            looked_at, last = looked_at + len(keys), rows[-1] if rows else last
        return jobs, None

    def _cursor(self, last: JobRecord, wanted: JobFilter) -> str:
        """Where the page after this job begins."""
        return self.signer.sign([timestamp(last.created_at), last.job_id], scope=wanted.scope())

    def all_of(self, wanted: JobFilter, *, size: int) -> Iterator[JobRecord]:
        """Every job of a list that an index answers, two calls per `size`."""
        for keys in self._keys(wanted.partition(), wanted=wanted, size=size):
            yield from (job for job in self.rows(keys) if wanted.takes(job))

    def ahead_of(self, job: JobRecord) -> tuple[list[JobRecord], int]:
        """Open jobs created before this one, oldest first, up to BATCH of them; and how many more there are.

        One call if there are none, else two, and one more if there are more than BATCH.
        """
        asked: Any = {
            "TableName": self.table,
            "IndexName": _OPEN_JOBS,
            "KeyConditionExpression": "#open = :open AND created_at < :made",
            "ExpressionAttributeNames": {"#open": OPEN},
            "ExpressionAttributeValues": to_item({":open": IS_OPEN, ":made": timestamp(job.created_at)}),
        }
        first = self.client.query(**asked, ProjectionExpression="job_id", Limit=BATCH)
        job_ids = [str(from_item(item)["job_id"]) for item in first["Items"]]
        more = 0
        if "LastEvaluatedKey" in first:
            more = self.client.query(**asked, Select="COUNT", ExclusiveStartKey=first["LastEvaluatedKey"])["Count"]
        return self.rows(job_ids) if job_ids else [], more

    def open_jobs(self) -> Iterator[list[JobRecord]]:
        """All open jobs, oldest first, in batches."""
        for keys in self._keys({OPEN: "1"}, size=BATCH):
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
        size: int,
        after: dict[str, str] | None = None,
        wanted: JobFilter | None = None,
    ) -> Iterator[list[str]]:
        """Job ids of a list in batches of `size`, oldest first unless `wanted` says otherwise."""
        span, times = _span(wanted.since, wanted.until) if wanted else ("", {})
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
                ScanIndexForward=wanted is None or wanted.sort == "oldest",
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

"""How long an endpoint's recent jobs ran: ten durations in one row of the jobs table, overwritten in turn."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from lambdas.aws.rows import from_item, to_item
from lambdas.jobs.record import JobRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SLOTS = 10
REMEMBERED_SECONDS = 60.0


@dataclass
class RunTimes:
    client: "DynamoDBClient"
    table: str
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    def note(self, job: JobRecord) -> None:
        """Record the run time of a job that has succeeded; one call."""
        if job.started_at is None or job.finished_at is None:
            return
        slot = f"seconds_{int(job.finished_at.timestamp() * 1000) % SLOTS}"
        seconds = int((job.finished_at - job.started_at).total_seconds() * 1000)
        self.client.update_item(
            TableName=self.table,
            Key=_key(job.endpoint),
            UpdateExpression="SET #slot = :milliseconds",
            ExpressionAttributeNames={"#slot": slot},
            ExpressionAttributeValues=to_item({":milliseconds": max(seconds, 0)}),
        )

    def typical(self, endpoint: str) -> float | None:
        """Mean seconds of the latest runs, at most a minute old; None if there are none."""
        until, seconds = self._known.get(endpoint, (0.0, None))
        if self.monotonic() < until:
            return seconds
        row = from_item(self.client.get_item(TableName=self.table, Key=_key(endpoint)).get("Item", {}))
        counts = [float(value) / 1000 for name, value in row.items() if name.startswith("seconds_")]
        seconds = fmean(counts) if counts else None
        self._known[endpoint] = (self.monotonic() + REMEMBERED_SECONDS, seconds)
        return seconds


def _key(endpoint: str) -> "dict[str, dict[str, str]]":
    return {"job_id": {"S": f"run_times#{endpoint}"}}

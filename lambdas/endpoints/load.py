"""How many open jobs each endpoint has, counted in the transactions that create and settle them.

endpoint_load#ENDPOINT#SHARD   `access_id`; jobs of one endpoint are spread over SHARDS rows, because concurrent
                               transactions on one row conflict
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambdas.access.table import AccessTable
from lambdas.aws.rows import Action, Keys, Update, read_rows

SHARDS = 4
KEPT = timedelta(days=60)
"""After the last new job; no job is open for that long, so an expired row would count none."""
_PREFIX = "endpoint_load"


@dataclass(frozen=True)
class EndpointLoad:
    access: AccessTable

    def take(self, endpoint: str, job_id: str, *, made: datetime) -> Action:
        """The update that counts a new job, for the transaction that creates it."""
        values: dict[str, object] = {":one": 1, ":ends": int((made + KEPT).timestamp())}
        return self._count(endpoint, job_id, "SET expires_at = :ends ADD open_jobs :one", values)

    def free(self, endpoint: str, job_id: str) -> Action:
        """The update that stops counting a job, for the transaction that settles or deletes it."""
        return self._count(endpoint, job_id, "ADD open_jobs :less", {":less": -1})

    def _count(self, endpoint: str, job_id: str, expression: str, values: dict[str, object]) -> Action:
        shard = int(job_id[-1], 16) % SHARDS
        key = {"access_id": f"{_PREFIX}#{endpoint}#{shard}"}
        return Update(table=self.access.table, key=key, expression=expression, values=values)

    def keys(self, endpoints: Iterable[str]) -> Keys:
        """Keys of the rows that count their jobs."""
        rows = [{"access_id": f"{_PREFIX}#{endpoint}#{shard}"} for endpoint in endpoints for shard in range(SHARDS)]
        return {self.access.table: rows}

    def in_rows(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Counter[str]:
        """Open jobs by endpoint, according to the rows of `keys`; 0 for an endpoint that never had any."""
        counted: Counter[str] = Counter()
        for row in rows.get(self.access.table, []):
            _, endpoint, _ = row["access_id"].split("#")
            counted[endpoint] += int(row["open_jobs"])
        return counted

    def of(self, endpoints: Sequence[str]) -> Counter[str]:
        """Open jobs by endpoint; one call per 25 endpoints."""
        return self.in_rows(read_rows(self.access.client, self.keys(endpoints), consistent=True))

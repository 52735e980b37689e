"""How many jobs that have not been settled each endpoint has, counted in the transactions that make and settle them.

endpoint_load#ENDPOINT#SHARD   `access_id`; jobs of one endpoint spread over SHARDS rows, for two transactions that
                               change one row at the same time get into each other's way
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.access.table import AccessTable
from lambdas.aws.batch_reads import SideRead
from lambdas.aws.transactions import Action

SHARDS = 4
KEPT = timedelta(days=60)
"""After the last new job: no job is open for that long, so that a row which goes by itself counts none."""
_PREFIX = "endpoint_load"


@dataclass(frozen=True)
class EndpointLoad:
    access: AccessTable

    def take(self, endpoint: str, job_id: str, *, made: datetime) -> Action:
        """The update that counts a new job; to be part of the transaction that makes it."""
        values = {":one": 1, ":ends": int((made + KEPT).timestamp())}
        return self.access.update(_row_id(endpoint, job_id), "SET expires_at = :ends ADD open_jobs :one", values)

    def free(self, endpoint: str, job_id: str) -> Action:
        """The update that takes it back; to be part of the transaction that settles or removes the job."""
        return self.access.update(_row_id(endpoint, job_id), "ADD open_jobs :less", {":less": -1})

    def reading(self, endpoints: Iterable[str]) -> SideRead:
        """Their rows, to be read along with others."""
        keys = [{"access_id": f"{_PREFIX}#{endpoint}#{shard}"} for endpoint in endpoints for shard in range(SHARDS)]
        return SideRead(self.access.client, self.access.table, keys)

    def of(self, endpoints: Sequence[str]) -> Counter[str]:
        """Open jobs by endpoint; one call for 25 endpoints."""
        return loads_in(self.reading(endpoints))


def loads_in(reading: SideRead) -> Counter[str]:
    """Open jobs by endpoint; 0 for one that never had any."""
    counted: Counter[str] = Counter()
    for row in reading.rows():
        _, endpoint, _ = row["access_id"].split("#")
        counted[endpoint] += int(row["open_jobs"])
    return counted


def _row_id(endpoint: str, job_id: str) -> str:
    return f"{_PREFIX}#{endpoint}#{int(job_id[-1], 16) % SHARDS}"

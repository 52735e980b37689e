"""How many jobs that have not been settled each endpoint has, counted in the transactions that make and settle them.

endpoint_load#ENDPOINT#SHARD   `access_id`; jobs of one endpoint spread over SHARDS rows, for two transactions that
                               change one row at the same time get into each other's way
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lambdas.access.table import AccessTable
from lambdas.aws.batch_reads import SideRead
from lambdas.aws.transactions import Action
from lambdas.jobs.record import JobRecord

SHARDS = 4
KEPT = timedelta(days=60)
"""After the last new job: no job is open for that long, so that a row which goes by itself counts none."""
_PREFIX = "endpoint_load"


@dataclass(frozen=True)
class EndpointLoad:
    access: AccessTable

    def take(self, job: JobRecord) -> Action:
        """The update that counts a new job; to be part of the transaction that makes it."""
        ends = int((job.created_at + KEPT).timestamp())
        return self.access.update(_row_id(job), "SET expires_at = :ends ADD open_jobs :one", {":one": 1, ":ends": ends})

    def free(self, job: JobRecord) -> list[Action]:
        """The update that takes it back, for the transaction that settles or removes it; none for an uncounted one."""
        return [self.access.update(_row_id(job), "ADD open_jobs :less", {":less": -1})] if job.counted else []

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


def _row_id(job: JobRecord) -> str:
    return f"{_PREFIX}#{job.endpoint}#{int(job.job_id[-1], 16) % SHARDS}"

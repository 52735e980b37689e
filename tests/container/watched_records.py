"""Records of jobs whose beats a test waits for."""

import threading
from dataclasses import dataclass, field

from generate_on_cloud.contract.messages import Progress
from inference_container.job_record import JobRecords
from tests.container.conftest import Cloud


@dataclass(frozen=True)
class WatchedRecords(JobRecords):
    """Records that let a test wait for beats, and fail the first ones on request."""

    beats: list[Progress] = field(default_factory=list)
    failures: tuple[Exception, ...] = ()
    beaten: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def beat(self, job_id: str, progress: Progress, *, skips: int = 0) -> int:
        self.beats.append(progress)
        try:
            if len(self.beats) <= len(self.failures):
                raise self.failures[len(self.beats) - 1]
            return super().beat(job_id, progress, skips=skips)
        finally:
            self.beaten.release()

    def wait_for(self, beats: int) -> None:
        for _ in range(beats):
            assert self.beaten.acquire(timeout=20)


def watched(cloud: Cloud, *, failures: tuple[Exception, ...] = ()) -> WatchedRecords:
    cloud.put_job("j", "queued")
    records = WatchedRecords(cloud.dynamodb, "jobs-table", "worker-1", failures=failures)
    records.claim("j")
    return records

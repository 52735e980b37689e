"""A cloud in memory: jobs run until the test ends them."""

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob, JobView, ResultView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus

TIME = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class CloudDouble:
    """Is its own `jobs` and `assets`."""

    def __init__(self, *assets: AssetView) -> None:
        self.shelf = list(assets)
        self.sent: list[CreateJob] = []
        self.uploads: list[bytes] = []
        self.canceled: list[str] = []
        self.refusal: CloudError | None = None
        self.asked = 0
        self._jobs: dict[str, JobView] = {}
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)

    @property
    def cloud(self) -> GenerateOnCloud:
        return cast(GenerateOnCloud, self)

    @property
    def jobs(self) -> "CloudDouble":
        return self

    @property
    def assets(self) -> "CloudDouble":
        return self

    def list(self) -> Iterator[AssetView]:
        self.asked += 1
        if self.refusal:
            raise self.refusal
        yield from self.shelf

    def submit(self, job: CreateJob) -> JobView:
        if self.refusal:
            raise self.refusal
        with self._changed:
            self.sent.append(job)
            job_id = f"j{next(self._numbers)}"
            self._jobs[job_id] = JobView(
                job_id=job_id, label="", task=job.task, status=JobStatus.RUNNING, checkpoint=job.checkpoint,
                endpoint="e", created_at=TIME, started_at=TIME,
            )  # fmt: skip
            self._changed.notify_all()
            return self._jobs[job_id]

    def upload(self, picture: bytes) -> str:
        self.uploads.append(picture)
        return f"input-{len(self.uploads)}"

    def watch(self, job_id: str, *, wait: int) -> Iterator[JobView]:
        while True:
            with self._changed:
                job = self._jobs[job_id]
            yield job
            if job.status in TERMINAL:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._jobs[job_id].status in TERMINAL, timeout=wait)

    def get(self, job_id: str) -> JobView:
        return self._jobs[job_id]

    def cancel(self, job_id: str) -> None:
        self.canceled.append(job_id)
        self.end(job_id, JobStatus.CANCELED)

    def end(
        self, job_id: str, status: JobStatus = JobStatus.SUCCEEDED, *, error: str | None = None, **result: Any
    ) -> None:
        given: dict[str, Any] = {
            "images": [],
            "info": {"seed": 5},
            "parameters": {},
            "caption": None,
            "models": [],
            "timings": {},
        }
        found = ResultView.model_validate(given | result) if status is JobStatus.SUCCEEDED else None
        said = JobError.of(JobErrorCode.OUT_OF_MEMORY, error) if error else None
        with self._changed:
            ended = {"status": status, "result": found, "error": said, "run_seconds": 4.0}
            self._jobs[job_id] = self._jobs[job_id].model_copy(update=ended)
            self._changed.notify_all()

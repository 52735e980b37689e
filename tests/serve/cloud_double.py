"""A cloud in memory: jobs run until the test ends them."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob, JobView, PatchJob, ResultView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus

TIME = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class CloudDouble:
    """Is its own `assets`; `jobs` lists the jobs."""

    def __init__(self, *assets: AssetView) -> None:
        self.shelf = list(assets)
        self.sent: list[CreateJob] = []
        self.uploads: list[bytes] = []
        self.canceled: list[str] = []
        self.skipped: list[str] = []
        self.refusal: CloudError | None = None
        self.age = timedelta()
        """How long ago jobs end."""
        self.asked = 0
        self.listings = 0
        """How often jobs were listed."""
        self._jobs: dict[str, JobView] = {}
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)

    @property
    def cloud(self) -> GenerateOnCloud:
        return cast(GenerateOnCloud, self)

    @property
    def jobs(self) -> "JobsDouble":
        return JobsDouble(self)

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
                endpoint="e", created_at=TIME, started_at=TIME, metadata=job.metadata,
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

    def listed(self, *, metadata: tuple[str, str], status: JobStatus | None = None, **_: object) -> Sequence[JobView]:
        """Newest first."""
        if self.refusal:
            raise self.refusal
        self.listings += 1
        key, wanted = metadata
        fitting = [job for job in self._jobs.values() if job.metadata.get(key) == wanted]
        return [job for job in reversed(fitting) if status in (None, job.status)]

    def resend(self, job_id: str) -> None:
        """As `POST /v1/jobs/{id}/retry`, whose job ends at once."""
        again = f"j{next(self._numbers)}"
        self._jobs[again] = self._jobs[job_id].model_copy(update={"job_id": again, "retry_of": job_id})
        self.end(again)

    def change(self, job_id: str, changes: PatchJob) -> None:
        with self._changed:
            job = self._jobs[job_id]
            merged = {**job.metadata, **(changes.metadata or {})}
            self._jobs[job_id] = job.model_copy(update={"metadata": merged})

    def cancel(self, job_id: str) -> None:
        self.canceled.append(job_id)
        self.end(job_id, JobStatus.CANCELED)

    def skip(self, job_id: str) -> None:
        if self.refusal:
            raise self.refusal
        self.skipped.append(job_id)

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
            finished = datetime.now(UTC) - self.age
            ended = {"status": status, "result": found, "error": said, "run_seconds": 4.0, "finished_at": finished}
            self._jobs[job_id] = self._jobs[job_id].model_copy(update=ended)
            self._changed.notify_all()


class JobsDouble:
    """`jobs` of the double: all but `list` is its own."""

    def __init__(self, double: CloudDouble) -> None:
        self._double = double

    def __getattr__(self, name: str) -> Any:
        return getattr(self._double, name)

    def list(self, **filters: Any) -> Iterator[JobView]:
        """The client's asks for each page when it is needed, and whoever waits in the event loop stops the server."""
        with contextlib.suppress(RuntimeError):
            pytest.fail(f"the cloud was asked in {asyncio.get_running_loop()}")
        yield from self._double.listed(**filters)

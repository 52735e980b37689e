"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.jobs`."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Unpack

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.job_filters import JobFilters
from generate_on_cloud.client.jobs import Jobs
from generate_on_cloud.contract.job_bodies import (
    CanceledJobs,
    CreateJob,
    DeletedJobs,
    JobPage,
    JobSummary,
    JobView,
    PatchJob,
)


class AsyncJobs:
    def __init__(self, sync: Jobs, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def submit(self, job: CreateJob, *, idempotency_key: str | None = None) -> JobView:
        """Send a job; params too big for one request are uploaded first."""
        return await self._threads.run(self._sync.submit, job=job, idempotency_key=idempotency_key)

    async def get(self, job_id: str, *, wait: int | None = None) -> JobView:
        """The job as it is now; with `wait` (seconds, 0…25), as soon as its status changes or that time has passed."""
        return await self._threads.run(self._sync.get, job_id=job_id, wait=wait)

    def watch(self, job_id: str, *, wait: int = 5) -> AsyncIterator[JobView]:
        """Yield the job whenever it changes, or while it is queued about every `wait` seconds, until it finishes."""
        return self._threads.each(self._sync.watch, job_id=job_id, wait=wait)

    async def finish(self, job_id: str) -> JobView:
        """Wait until the job finishes and return it."""
        return await self._threads.run(self._sync.finish, job_id=job_id)

    async def save(self, job: JobView, folder: Path, *, name: str | Callable[[int], str] | None = None) -> list[Path]:
        """Download a succeeded job's pictures to `folder`, byte for byte as the container wrote them."""
        return await self._threads.run(self._sync.save, job=job, folder=folder, name=name)

    async def preview(self, job: JobView) -> bytes | None:
        """The latest preview of a running job, a JPEG; None while it has none."""
        return await self._threads.run(self._sync.preview, job=job)

    async def cancel(self, job_id: str) -> JobView:
        """Cancel the job: at once if it is queued, at its next step if it is running."""
        return await self._threads.run(self._sync.cancel, job_id=job_id)

    async def skip(self, job_id: str) -> JobView:
        """End the batch that a running job samples now, as WebUI's Skip: its pictures stay as they are."""
        return await self._threads.run(self._sync.skip, job_id=job_id)

    async def cancel_all(self, job_ids: Sequence[str]) -> CanceledJobs:
        """Cancel up to fifty jobs at once."""
        return await self._threads.run(self._sync.cancel_all, job_ids=job_ids)

    async def cancel_waiting(
        self, *, keep: Sequence[str] = (), endpoint: str | None = None, everyone: bool = False
    ) -> CanceledJobs:
        """Cancel your jobs that wait, except those to `keep`; with `everyone` those of all users."""
        return await self._threads.run(self._sync.cancel_waiting, keep=keep, endpoint=endpoint, everyone=everyone)

    async def upload(self, picture: bytes) -> str:
        """Upload a picture on its own and return an id that any picture field of your jobs can hold."""
        return await self._threads.run(self._sync.upload, picture=picture)

    async def retry(self, job_id: str, *, seed: int | None = None, idempotency_key: str | None = None) -> JobView:
        """Repeat a finished job as a new one, with another `seed` if one is given (-1: a random one)."""
        return await self._threads.run(self._sync.retry, job_id=job_id, seed=seed, idempotency_key=idempotency_key)

    async def delete(self, job_id: str) -> None:
        """Delete a finished job for good, with its pictures."""
        return await self._threads.run(self._sync.delete, job_id=job_id)

    async def delete_all(self, job_ids: Sequence[str]) -> DeletedJobs:
        """Delete up to fifty finished jobs at once."""
        return await self._threads.run(self._sync.delete_all, job_ids=job_ids)

    async def change(self, job_id: str, changes: PatchJob) -> JobView:
        """Change a job's label or star it; None leaves a value as it is, the empty label removes it."""
        return await self._threads.run(self._sync.change, job_id=job_id, changes=changes)

    async def page(self, *, limit: int = 20, cursor: str | None = None, **filters: Unpack[JobFilters]) -> JobPage:
        """One page of the job history, newest first unless `sort` says otherwise."""
        return await self._threads.run(self._sync.page, limit=limit, cursor=cursor, **filters)

    def list(self, **filters: Unpack[JobFilters]) -> AsyncIterator[JobSummary]:
        """All jobs that match, newest first unless `sort` says otherwise, fetched page by page."""
        return self._threads.each(self._sync.list, **filters)

"""Jobs as the client sees them: submit, follow, save, cancel, list."""

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.client.errors import ConnectionLostError, JobNotSucceededError, TransferError
from generate_on_cloud.contract.job_bodies import (
    CreateJob,
    DeletedJobs,
    DeleteJobs,
    InputView,
    JobPage,
    JobSummary,
    JobView,
)
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus, Task
from generate_on_cloud.contract.webhooks import Webhook

# API Gateway hands a Lambda at most 6 MB and the API takes 4 MB; above this the params go by presigned PUT.
INLINE_MAX_BYTES = 3_500_000

IDEMPOTENCY_KEY = "Idempotency-Key"


class Jobs:
    """`/v1/jobs`"""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def submit(
        self,
        task: Task,
        params: dict[str, Any],
        *,
        checkpoint: str | None = None,
        preview: bool = False,
        endpoint: str | None = None,
        metadata: dict[str, str] | None = None,
        ttl_s: int | None = None,
        run_timeout_s: int | None = None,
        webhook: Webhook | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> JobView:
        """Send WebUI's request body `params` as a job; pictures too big for one request are uploaded first.

        Args:
            preview: the running job's `preview_url` leads to a small picture of how far it is.
            ttl_s: seconds the job may wait for a worker.
            run_timeout_s: seconds it may run.
            webhook: where the job's end is told, signed with your webhook secret.
            dry_run: check everything the service can and make nothing.
            idempotency_key: the same key makes one job, whenever within a day and by whatever process of yours it is
                sent; None: a new one, so that this call's own repetitions make one job.

        Raises:
            ProblemError: the request was refused; nothing was queued.
        """
        document = json.dumps(params).encode()
        create = CreateJob(
            task=task,
            checkpoint=checkpoint,
            preview=preview,
            endpoint=endpoint,
            metadata=metadata or {},
            ttl_s=ttl_s,
            run_timeout_s=run_timeout_s,
            webhook=webhook,
            dry_run=dry_run,
        )
        if len(document) <= INLINE_MAX_BYTES:
            create = create.model_copy(update={"params": params})
        job = self._ask_once("/v1/jobs", _key(idempotency_key), body=create)
        if dry_run or create.params is not None or job.status is not JobStatus.CREATED:
            return job
        if job.upload is None:
            raise TransferError(f"job {job.job_id}: the service gave no URL for the params document")
        try:
            response = self._connection.put(job.upload.url, document, job.upload.headers)
        except httpx.TransportError as error:
            raise TransferError(f"job {job.job_id}: the params document was not uploaded: {error}") from error
        if response.is_error:
            raise TransferError(f"job {job.job_id}: storage refused the params document: {response.text[:300]}")
        return self._connection.ask(JobView, "POST", f"/v1/jobs/{job.job_id}/start")

    def _ask_once(self, path: str, key: dict[str, str], body: CreateJob | None = None) -> JobView:
        """A request that makes a job; repeated when its answer was lost, which its key makes safe."""
        try:
            return self._connection.ask(JobView, "POST", path, body=body, headers=key)
        except ConnectionLostError:
            return self._connection.ask(JobView, "POST", path, body=body, headers=key)

    def get(self, job_id: str, *, wait: int | None = None) -> JobView:
        """The job as it is now; with `wait` (seconds, 0…25) answered early when its status changes."""
        return self._connection.ask(JobView, "GET", f"/v1/jobs/{job_id}", query={"wait": wait})

    def watch(self, job_id: str, *, wait: int = 1) -> Iterator[JobView]:
        """The job again and again until it has ended, about every `wait` seconds; the last one is terminal."""
        while True:
            job = self.get(job_id, wait=wait)
            yield job
            if job.status in TERMINAL:
                return

    def finish(self, job_id: str) -> JobView:
        """Wait for the job's end and return it.

        Raises:
            JobNotSucceededError: it ended failed, canceled or expired.
        """
        *_, job = self.watch(job_id, wait=20)
        if job.status is not JobStatus.SUCCEEDED:
            raise JobNotSucceededError(job)
        return job

    def save(self, job: JobView, folder: Path, *, name: str | None = None) -> list[Path]:
        """Download a succeeded job's pictures to `folder/NAME-N.FORMAT`, byte for byte as the container wrote them.

        Raises:
            JobNotSucceededError: the job has no result.
            TransferError: a picture could not be fetched.
        """
        if job.result is None:
            raise JobNotSucceededError(job)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, image in enumerate(job.result.images):
            try:
                response = self._connection.get(image.url)
            except httpx.TransportError as error:
                raise TransferError(f"picture {number} of job {job.job_id} was not fetched: {error}") from error
            if response.is_error:
                raise TransferError(f"picture {number} of job {job.job_id}: storage answered {response.status_code}")
            path = folder / f"{name or job.job_id}-{number}.{image.format}"
            path.write_bytes(response.content)
            paths.append(path)
        return paths

    def cancel(self, job_id: str) -> JobView:
        """Stop the job: at once when queued, at its next step when running."""
        return self._connection.ask(JobView, "POST", f"/v1/jobs/{job_id}/cancel")

    def upload(self, picture: bytes) -> str:
        """Upload a picture on its own; the id that a picture field of any of your jobs may hold.

        Raises:
            TransferError: storage did not take it.
        """
        place = self._connection.ask(InputView, "POST", "/v1/inputs")
        try:
            response = self._connection.put(place.upload.url, picture, place.upload.headers)
        except httpx.TransportError as error:
            raise TransferError(f"the picture was not uploaded: {error}") from error
        if response.is_error:
            raise TransferError(f"storage refused the picture: {response.text[:300]}")
        return place.input_id

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> JobView:
        """Send what an ended job was sent with as a new job; the key is that of `submit`."""
        return self._ask_once(f"/v1/jobs/{job_id}/retry", _key(idempotency_key))

    def delete(self, job_id: str) -> None:
        """Take away an ended job for good, with its pictures."""
        self._connection.tell("DELETE", f"/v1/jobs/{job_id}")

    def delete_all(self, job_ids: Sequence[str]) -> DeletedJobs:
        """The same for up to fifty at once."""
        body = DeleteJobs(job_ids=list(job_ids))
        return self._connection.ask(DeletedJobs, "POST", "/v1/jobs/delete", body=body)

    def page(
        self, *, limit: int = 20, cursor: str | None = None, task: Task | None = None, status: JobStatus | None = None
    ) -> JobPage:
        """One page of the history, newest first."""
        query = {"limit": limit, "cursor": cursor, "task": task, "status": status}
        return self._connection.ask(JobPage, "GET", "/v1/jobs", query=query)

    def list(self, *, task: Task | None = None, status: JobStatus | None = None) -> Iterator[JobSummary]:
        """The whole history, newest first, fetched page by page."""
        cursor = None
        while True:
            page = self.page(limit=100, cursor=cursor, task=task, status=status)
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return


def _key(chosen: str | None) -> dict[str, str]:
    """The header; None: one for this call alone, so that one job is made where it is sent twice."""
    return {IDEMPOTENCY_KEY: str(uuid.uuid4()) if chosen is None else chosen}

"""The client's jobs: submit, follow, save, cancel, list."""

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

import httpx

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.client.errors import ConnectionLostError, JobNotSucceededError, TransferError
from generate_on_cloud.client.job_filters import JobFilters, query_of
from generate_on_cloud.client.signed_urls import with_fresh_url
from generate_on_cloud.contract.job_bodies import (
    CanceledJobs,
    CancelJobs,
    CreateInput,
    CreateJob,
    DeletedJobs,
    DeleteJobs,
    InputView,
    JobPage,
    JobSummary,
    JobView,
    PatchJob,
    PresignedPut,
    RetryJob,
)
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus

# API Gateway passes at most 6 MB to a Lambda and the API takes 4 MB; larger params are uploaded by presigned PUT.
INLINE_MAX_BYTES = 3_500_000

IDEMPOTENCY_KEY = "Idempotency-Key"


class Jobs:
    """`/v1/jobs`"""

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._sleep = sleep

    def submit(self, job: CreateJob, *, idempotency_key: str | None = None) -> JobView:
        """Send a job; params too big for one request are uploaded first.

        Args:
            idempotency_key: one key creates one job, however often and from whichever process you send it within a
                day; None: a new key, so that this call's own retries create one job.

        Raises:
            ProblemError: the request was refused; nothing was queued.
        """
        document = json.dumps(job.params).encode()
        inline = job.params is None or len(document) <= INLINE_MAX_BYTES
        create = job if inline else job.model_copy(update={"params": None})
        made = self._ask_once("/v1/jobs", _key(idempotency_key), body=create)
        if inline or job.dry_run or made.status is not JobStatus.CREATED:
            return made
        if made.upload is None:
            raise _no_upload(made.job_id)
        try:
            response = with_fresh_url(
                lambda place: self._connection.put(place.url, document, place.headers),
                made.upload,
                lambda: self._upload_of(made.job_id),
            )
        except httpx.TransportError as error:
            raise TransferError(f"job {made.job_id}: the params document was not uploaded: {error}") from error
        if response.is_error:
            raise TransferError(f"job {made.job_id}: storage refused the params document: {response.text[:300]}")
        return self._connection.ask(JobView, "POST", f"/v1/jobs/{made.job_id}/start")

    def _ask_once(self, path: str, key: dict[str, str], body: CreateJob | RetryJob | None = None) -> JobView:
        """Send a request that creates a job; the key makes it safe to repeat when the answer is lost."""
        try:
            return self._connection.ask(JobView, "POST", path, body=body, headers=key)
        except ConnectionLostError:
            return self._connection.ask(JobView, "POST", path, body=body, headers=key)

    def _upload_of(self, job_id: str) -> PresignedPut:
        """Where the params of a job go, with a fresh URL."""
        upload = self.get(job_id).upload
        if upload is None:
            raise _no_upload(job_id)
        return upload

    def get(self, job_id: str, *, wait: int | None = None) -> JobView:
        """The job as it is now; with `wait` (seconds, 0…25), as soon as its status changes or that time has passed."""
        return self._connection.ask(JobView, "GET", f"/v1/jobs/{job_id}", query={"wait": wait})

    def watch(self, job_id: str, *, wait: int = 5) -> Iterator[JobView]:
        """Yield the job whenever it changes, or while it is queued about every `wait` seconds, until it finishes.

        The last one has a final status.
        """
        return self._looks(job_id, wait=wait, at_any_change=True)

    def _looks(self, job_id: str, *, wait: int, at_any_change: bool) -> Iterator[JobView]:
        """The job until it finishes, again whenever its status changes, or anything of it, or the wait is over."""
        tag = None
        while True:
            seen = self._connection.look(JobView, f"/v1/jobs/{job_id}", query={"wait": wait}, tag=tag)
            if seen.answer is not None:
                tag = seen.tag if at_any_change else None
                yield seen.answer
                if seen.answer.status in TERMINAL:
                    return
            if seen.pause:  # too many requests wait: the service has answered at once
                self._sleep(seen.pause)

    def finish(self, job_id: str) -> JobView:
        """Wait until the job finishes and return it.

        Raises:
            JobNotSucceededError: it failed, was canceled or expired.
        """
        *_, job = self._looks(job_id, wait=20, at_any_change=False)
        if job.status is not JobStatus.SUCCEEDED:
            raise JobNotSucceededError(job)
        return job

    def save(self, job: JobView, folder: Path, *, name: str | Callable[[int], str] | None = None) -> list[Path]:
        """Download a succeeded job's pictures to `folder`, byte for byte as the container wrote them.

        They are called `NAME-N.FORMAT` (`name` None: the job's id). With a function from a number to a name,
        such as `names_by("[seed]-[prompt_spaces]", job)`, a file of that name with other bytes is never replaced.

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
                response = with_fresh_url(
                    self._connection.get, image.url, partial(self._picture_url, job.job_id, number)
                )
            except httpx.TransportError as error:
                raise TransferError(f"picture {number} of job {job.job_id} could not be downloaded: {error}") from error
            if response.is_error:
                raise TransferError(f"picture {number} of job {job.job_id}: storage answered {response.status_code}")
            if callable(name):
                path = _free(folder / f"{name(number)}.{image.format}", response.content)
            else:
                path = folder / f"{name or job.job_id}-{number}.{image.format}"
            path.write_bytes(response.content)
            paths.append(path)
        return paths

    def preview(self, job: JobView) -> bytes | None:
        """The latest preview of a running job, a JPEG; None while it has none."""
        if job.preview_url is None:
            return None
        try:
            response = self._connection.get(job.preview_url)
        except httpx.TransportError:
            return None  # the next look has the next one
        return response.content if response.is_success else None

    def _picture_url(self, job_id: str, number: int) -> str:
        """A fresh URL of a picture.

        Raises:
            JobNotSucceededError: the job has no result any more.
        """
        job = self.get(job_id)
        if job.result is None:
            raise JobNotSucceededError(job)
        return job.result.images[number].url

    def cancel(self, job_id: str) -> JobView:
        """Cancel the job: at once if it is queued, at its next step if it is running."""
        return self._connection.ask(JobView, "POST", f"/v1/jobs/{job_id}/cancel")

    def skip(self, job_id: str) -> JobView:
        """End the batch that a running job samples now, as WebUI's Skip: its pictures stay as they are.

        Raises:
            ProblemError: `job_state_conflict` if it does not run.
        """
        return self._connection.ask(JobView, "POST", f"/v1/jobs/{job_id}/skip")

    def cancel_all(self, job_ids: Sequence[str]) -> CanceledJobs:
        """Cancel up to fifty jobs at once."""
        body = CancelJobs(job_ids=list(job_ids))
        return self._connection.ask(CanceledJobs, "POST", "/v1/jobs/cancel", body=body)

    def cancel_waiting(
        self, *, keep: Sequence[str] = (), endpoint: str | None = None, everyone: bool = False
    ) -> CanceledJobs:
        """Cancel your jobs that wait, except those to `keep`; with `everyone` those of all users.

        As many requests as it takes; the answer has the jobs of all of them.

        Raises:
            ProblemError: `forbidden` if `everyone` is not allowed.
        """
        body = CancelJobs(all_waiting=True, keep=list(keep), endpoint=endpoint, everyone=everyone)
        done = CanceledJobs(canceled=[], refused=[], more=True)
        while done.more:
            answer = self._connection.ask(CanceledJobs, "POST", "/v1/jobs/cancel", body=body)
            done.canceled += answer.canceled
            done.refused += answer.refused
            done.more = answer.more and bool(answer.canceled)
        return done

    def upload(self, picture: bytes) -> str:
        """Upload a picture on its own and return an id that any picture field of your jobs can hold.

        Raises:
            TransferError: storage refused it or could not be reached.
        """
        places: list[InputView] = []

        def new_place() -> InputView:
            places.append(self._connection.ask(InputView, "POST", "/v1/inputs", body=CreateInput(size=len(picture))))
            return places[-1]

        try:
            response = with_fresh_url(
                lambda place: self._connection.put(place.upload.url, picture, place.upload.headers),
                new_place(),
                new_place,
            )
        except httpx.TransportError as error:
            raise TransferError(f"the picture was not uploaded: {error}") from error
        if response.is_error:
            raise TransferError(f"storage refused the picture: {response.text[:300]}")
        return places[-1].input_id

    def retry(self, job_id: str, *, seed: int | None = None, idempotency_key: str | None = None) -> JobView:
        """Repeat a finished job as a new one, with another `seed` if one is given (-1: a random one).

        `idempotency_key` as in `submit`.
        """
        body = None if seed is None else RetryJob(seed=seed)
        return self._ask_once(f"/v1/jobs/{job_id}/retry", _key(idempotency_key), body)

    def delete(self, job_id: str) -> None:
        """Delete a finished job for good, with its pictures."""
        self._connection.tell("DELETE", f"/v1/jobs/{job_id}")

    def delete_all(self, job_ids: Sequence[str]) -> DeletedJobs:
        """Delete up to fifty finished jobs at once."""
        body = DeleteJobs(job_ids=list(job_ids))
        return self._connection.ask(DeletedJobs, "POST", "/v1/jobs/delete", body=body)

    def change(self, job_id: str, changes: PatchJob) -> JobView:
        """Change a job's label or star it; None leaves a value as it is, the empty label removes it.

        Raises:
            ProblemError: `not_found`.
        """
        return self._connection.ask(JobView, "PATCH", f"/v1/jobs/{job_id}", body=changes)

    def page(self, *, limit: int = 20, cursor: str | None = None, **filters: Unpack[JobFilters]) -> JobPage:
        """One page of the job history, newest first unless `sort` says otherwise.

        With filters that only the jobs themselves can answer (`model`, `label`, `starred`, `metadata`, `q`) a page may
        be short or empty; there are more jobs as long as it has a `next_cursor`.
        """
        query = {"limit": limit, "cursor": cursor, **query_of(filters)}
        return self._connection.ask(JobPage, "GET", "/v1/jobs", query=query)

    def list(self, **filters: Unpack[JobFilters]) -> Iterator[JobSummary]:
        """All jobs that match, newest first unless `sort` says otherwise, fetched page by page."""
        cursor = None
        while True:
            page = self.page(limit=100, cursor=cursor, **filters)
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return


def _no_upload(job_id: str) -> TransferError:
    return TransferError(f"job {job_id}: the service returned no upload URL for the params document")


def _free(path: Path, content: bytes) -> Path:
    """The first of `path`, `NAME-1`, `NAME-2`, … that does not exist, or that has these bytes already."""
    others = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(1))
    return next(one for one in itertools.chain([path], others) if not one.exists() or one.read_bytes() == content)


def _key(chosen: str | None) -> dict[str, str]:
    """The header; with None, a new key for this call, so that its retries create only one job."""
    return {IDEMPOTENCY_KEY: str(uuid.uuid4()) if chosen is None else chosen}

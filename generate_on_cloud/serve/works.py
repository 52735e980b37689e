"""Jobs under way for one caller: each is sent once, followed in a thread, and kept when its client leaves.

A GPU that sleeps takes minutes to start, longer than many clients wait. A client that gave up sends the same request
again: it then joins the job that still runs, or gets the pictures of the one that has finished, also if the process
that sent the job is gone.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from generate_on_cloud.faces.sdapi import notes
from generate_on_cloud.faces.sdapi.orders import Order
from generate_on_cloud.serve.followers import Follower
from generate_on_cloud.serve.sent_before import SentBefore
from generate_on_cloud.serve.work import Report, Work

KEPT_SECONDS = 600.0
"""How long a finished job can be found again by an identical request."""


class Works:
    """The jobs of one caller. All methods are called in the server's event loop."""

    def __init__(
        self,
        cloud: Callable[[], GenerateOnCloud],
        report: Report,
        *,
        clock: Callable[[], float],
        server: str,
        patience: float | None = None,
    ) -> None:
        """Nothing is asked of the cloud yet.

        Args:
            cloud: gives the service with a key that is valid now.
            report: called for each job when it was sent and when it has ended.
            clock: seconds, by which jobs are kept.
            server: name of this server and caller; the jobs of another process with this name are found again.
            patience: seconds after which a request is answered even if its job has not ended, in a process that keeps
                nothing between requests; None: the only process with this name, which waits as long as a job takes.
        """
        self._cloud = cloud
        self._report = report
        self._clock = clock
        self._server = notes.server_key(server)
        self._before = SentBefore(cloud, self._server)
        self._patience = patience
        self._began = clock()
        self._works: list[Work] = []
        self._asking = asyncio.Lock()
        self._has_recalled = False

    async def recall(self) -> None:
        """Know the open jobs that another process with this name has sent, and follow them; asks the cloud once.

        Raises:
            CloudError: the cloud refused or cannot be reached.
        """
        async with self._asking:
            if self._has_recalled:
                return
            for job in await asyncio.to_thread(self._before.open_jobs):
                if not self._has(job):
                    self._adopt(job, follow=self._patience is None)
            self._has_recalled = True

    async def begin(self, order: Order) -> Work:
        """The work that answers the request: one under way or finished lately, else a new one.

        One more client waits for it now; the caller ends that.

        Raises:
            CloudError: as in `recall`.
        """
        if self._patience is None:
            await self.recall()
        async with self._asking:
            self._forget()
            work = self._known(order) or await self._found(order) or self._new(order)
            work.order = work.order or order
            work.waiting += 1
            return work

    def current(self) -> Work | None:
        """What `progress` shows: the newest running job, else the newest that waits."""
        is_open = self.pending()
        running = [work for work in is_open if work.job and work.job.status is JobStatus.RUNNING]
        return next(reversed(running or is_open), None)

    def of_task(self, task_id: str) -> Work | None:
        """The latest job that the client called so."""
        return next((work for work in reversed(self._works) if task_id and work.note.task_id == task_id), None)

    def pending(self) -> list[Work]:
        """Jobs that have not ended, oldest first."""
        return [work for work in self._works if not work.has_ended]

    def to_interrupt(self) -> list[str]:
        """Ids of the caller's running jobs, or, if none runs, of those that wait."""
        sent = [work.job for work in self.pending() if work.job is not None]
        running = [job.job_id for job in sent if job.status is JobStatus.RUNNING]
        return running or [job.job_id for job in sent]

    def mark_delivered(self, work: Work) -> None:
        """Tell the cloud that a client has the pictures; waits for it. Only chance makes a second job of a request."""
        if work.job is not None and work.order is not None and not work.order.repeatable:
            self._before.note(work.job.job_id, notes.DELIVERED)

    def _known(self, order: Order) -> Work | None:
        serves = self._serving(order)
        return next((work for work in reversed(self._works) if serves(work)), None)

    async def _found(self, order: Order) -> Work | None:
        """The work of another process. The only one needs to look until it knows all jobs that can be found."""
        if self._patience is None and self._clock() >= self._began + KEPT_SECONDS:
            return None
        request, serves = notes.request_key(self._server, order), self._serving(order)
        found = self._before.answering(request)
        # Each of its steps asks the cloud, which may be a program in this very event loop.
        while (job := await asyncio.to_thread(next, found, None)) is not None:
            if not self._has(job) and not _is_over(job) and serves(_work_of(job)):
                if self._patience is not None and not order.repeatable:
                    await asyncio.to_thread(self._before.note, job.job_id, notes.awaited(self._awaited_until()))
                return self._adopt(job, follow=True)
        return None

    def _has(self, job: JobView) -> bool:
        """Whether this process knows the job, or has just sent one like it and does not know its id yet."""
        request = notes.read(job.metadata).request
        return any(one.job.job_id == job.job_id if one.job else one.note.request == request for one in self._works)

    def _serving(self, order: Order) -> Callable[[Work], bool]:
        request, now = notes.request_key(self._server, order), datetime.now(UTC)
        return lambda work: work.serves(request, repeatable=order.repeatable, now=now)

    def _adopt(self, job: JobView, *, follow: bool) -> Work:
        work = _work_of(job)
        if job.status in TERMINAL:
            work.ended_at = self._clock()
            work.done.set()
        elif follow:
            self._follow(work, {})
        self._works.append(work)
        return work

    def _new(self, order: Order) -> Work:
        metadata = notes.written(self._server, order)
        if self._patience is not None:
            metadata |= notes.awaited(self._awaited_until())
        work = Work(notes.read(metadata), order)
        self._follow(work, metadata)
        self._works.append(work)
        return work

    def _follow(self, work: Work, metadata: Mapping[str, str]) -> None:
        until = float("inf") if self._patience is None else self._began + self._patience
        Follower(self._cloud(), work, self._report, self._clock, metadata=metadata, until=until).start()

    def _awaited_until(self) -> datetime:
        left = self._began + (self._patience or 0) - self._clock()
        return datetime.now(UTC) + timedelta(seconds=left)

    def _forget(self) -> None:
        earliest = self._clock() - KEPT_SECONDS
        self._works = [work for work in self._works if work.ended_at is None or work.ended_at >= earliest]


def _work_of(job: JobView) -> Work:
    note = notes.read(job.metadata)
    return Work(note, job=job, was_delivered=note.delivered)


def _is_over(job: JobView) -> bool:
    """Whether it ended without pictures, or too long ago."""
    if job.status not in TERMINAL:
        return False
    ended = job.finished_at or datetime.now(UTC)
    return job.status is not JobStatus.SUCCEEDED or (datetime.now(UTC) - ended).total_seconds() > KEPT_SECONDS

"""Jobs under way for one caller: each is sent once, followed in a thread, and kept when its client leaves.

A GPU that sleeps takes minutes to start, longer than many clients wait. A client that gave up sends the same request
again: it then joins the job that still runs, or gets the pictures of the one that has finished.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ConnectionLostError
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from generate_on_cloud.faces.sdapi.orders import Order
from generate_on_cloud.faces.sdapi.pictures import moved_out

KEPT_SECONDS = 600.0
"""How long a finished job can be found again by an identical request."""
_LOOK_EVERY = 2
_RETRIES = 20
_PAUSE = 3.0
"""A connection that is lost while a job is followed is tried again for a minute."""

Report = Callable[["Work"], None]
"""Called in the job's thread when it was sent and when it has ended."""


@dataclass(eq=False)
class Work:
    """One job of the caller, from the request on."""

    order: Order
    done: asyncio.Event = field(default_factory=asyncio.Event)
    job: JobView | None = None
    """As it was last seen; None until the cloud has accepted it."""
    error: CloudError | None = None
    """Why there is no job, or why it cannot be followed."""
    waiting: int = 0
    """Clients that wait for it now."""
    was_delivered: bool = False
    ended_at: float | None = None
    preview: tuple[int, bytes] | None = None
    """The latest preview that was fetched, with its number."""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.ended_at is not None

    @property
    def is_lost(self) -> bool:
        """Whether it ended without a result."""
        return self.has_ended and (self.job is None or self.job.status is not JobStatus.SUCCEEDED)

    def serves(self, order: Order) -> bool:
        """Whether this job answers the request too.

        Where chance decides, two requests ask for two pictures, unless the first one's client left without its answer.
        """
        if order.identity != self.order.identity or self.is_lost or (self.job and self.job.cancel_requested):
            return False
        return order.repeatable or (self.waiting == 0 and not self.was_delivered)


class Works:
    """The jobs of one caller. All methods are called in the server's event loop."""

    def __init__(self, cloud: Callable[[], GenerateOnCloud], report: Report, *, clock: Callable[[], float]) -> None:
        """`cloud` gives the service with a key that is valid now."""
        self._cloud = cloud
        self._report = report
        self._clock = clock
        self._works: list[Work] = []

    def begin(self, order: Order) -> Work:
        """The work that answers the request: one under way or finished lately, else a new one."""
        self._forget()
        work = next((one for one in reversed(self._works) if one.serves(order)), None)
        if work is None:
            work = Work(order)
            self._works.append(work)
            _Follower(self._cloud(), work, self._report, self._clock).start()
        return work

    def current(self) -> Work | None:
        """What `progress` shows: the newest running job, else the newest that waits."""
        is_open = [work for work in self._works if not work.has_ended]
        running = [work for work in is_open if work.job and work.job.status is JobStatus.RUNNING]
        return next(reversed(running or is_open), None)

    def of_task(self, task_id: str) -> Work | None:
        """The latest job that the client called so."""
        return next((work for work in reversed(self._works) if work.order.task_id == task_id), None)

    def pending(self) -> list[Work]:
        """Jobs that have not ended, oldest first."""
        return [work for work in self._works if not work.has_ended]

    def to_interrupt(self) -> list[str]:
        """Ids of the caller's running jobs, or, if none runs, of those that wait."""
        sent = [work.job for work in self.pending() if work.job is not None]
        running = [job.job_id for job in sent if job.status is JobStatus.RUNNING]
        return running or [job.job_id for job in sent]

    def _forget(self) -> None:
        earliest = self._clock() - KEPT_SECONDS
        self._works = [work for work in self._works if work.ended_at is None or work.ended_at >= earliest]


class _Follower:
    """Sends one job and follows it to its end, in a daemon thread: a client that leaves does not end it."""

    def __init__(self, cloud: GenerateOnCloud, work: Work, report: Report, clock: Callable[[], float]) -> None:
        self._cloud = cloud
        self._work = work
        self._report = report
        self._clock = clock
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        threading.Thread(target=self._run, name="job", daemon=True).start()

    def _run(self) -> None:
        try:
            job = self._send()
            self._see(job)
            self._report(self._work)
            for seen in self._watch(job):
                self._see(seen)
        except CloudError as error:
            self._work.error = error
        finally:
            self._work.ended_at = self._clock()
            self._report(self._work)
            self._tell(self._work.done.set)

    def _send(self) -> JobView:
        create = self._work.order.job()
        moved = create.model_copy(update={"params": moved_out(create.params or {}, self._cloud.jobs.upload)})
        return self._cloud.jobs.submit(moved)

    def _watch(self, sent: JobView) -> Iterator[JobView]:
        last, tries = sent, 0
        while last.status not in TERMINAL:
            try:
                for seen in self._cloud.jobs.watch(sent.job_id, wait=_LOOK_EVERY):
                    last, tries = seen, 0
                    yield seen
            except ConnectionLostError:
                tries += 1
                if tries > _RETRIES:
                    raise
                time.sleep(_PAUSE)

    def _see(self, job: JobView) -> None:
        self._work.job = job

    def _tell(self, call: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

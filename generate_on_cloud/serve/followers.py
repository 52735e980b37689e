"""Sends one job and follows it to its end, in a thread: a client that leaves does not end it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ConnectionLostError
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL
from generate_on_cloud.faces.sdapi.pictures import moved_out
from generate_on_cloud.serve.work import Report, Work

_LOOK_EVERY = 2
_RETRIES = 20
_PAUSE = 3.0
"""A connection that is lost while a job is followed is tried again for a minute."""


class Follower:
    """A daemon thread for one work; created in the server's event loop."""

    def __init__(
        self,
        cloud: GenerateOnCloud,
        work: Work,
        report: Report,
        clock: Callable[[], float],
        *,
        metadata: Mapping[str, str],
        until: float = float("inf"),
    ) -> None:
        """`metadata` of the job if it must be sent; at `until`, by the clock, the thread ends before the job does."""
        self._cloud = cloud
        self._work = work
        self._report = report
        self._clock = clock
        self._metadata = metadata
        self._until = until
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Return at once; `work.done` is set in the event loop."""
        threading.Thread(target=self._run, name="job", daemon=True).start()

    def _run(self) -> None:
        work = self._work
        try:
            if work.job is None:
                work.job = self._send()
                self._report(work)
            for seen in self._watch(work.job):
                work.job = seen
                if self._clock() >= self._until:
                    break
        except CloudError as error:
            work.error = error
        finally:
            if work.error or work.job is None or work.job.status in TERMINAL:
                work.ended_at = self._clock()
                self._report(work)
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(work.done.set)

    def _send(self) -> JobView:
        order = self._work.order
        assert order is not None  # noqa: S101 - a work without a job has its order
        create = order.job(self._metadata)
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

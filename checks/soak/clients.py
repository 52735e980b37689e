"""The users of a soak: each sends its share of the jobs and follows each one until it is done, without giving up."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from checks.soak.jobs import SoakJob
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ConnectionLostError, ProblemError, TransferError
from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob, JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus, Task
from generate_on_cloud.contract.webhooks import Webhook

AHEAD = 40
"""Jobs that a user has open at once: more than those that wait for the sweeper, so that no user idles."""
SENT_TWICE = 5
"""One in this many jobs is sent twice under one key, as by a client that lost the first answer."""
MAX_RETRIES = 5
LOOK_SECONDS = 1.0
RARELY = 8
"""A job is polled again after an eighth of its age: old ones rarely, or polling would be most of the load."""
PAUSE_SECONDS = 0.5
TOO_MANY = 429
Answer = TypeVar("Answer")


class SoakError(Exception):
    """Something that a user of the service must never see."""


@dataclass
class Seen:
    """One job as its user saw it."""

    job: SoakJob
    job_ids: list[str] = field(default_factory=list)
    """The first job and its retries."""
    ends: list[JobStatus] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    sent_at: float = 0.0
    """When the newest of `job_ids` was sent, by the monotonic clock."""
    look_at: float = 0.0

    def sent(self, job_id: str) -> None:
        """Record the job that now represents this one."""
        self.job_ids.append(job_id)
        self.sent_at = self.look_at = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to poll it; sets the next time."""
        now = time.monotonic()
        if now < self.look_at:
            return False
        self.look_at = now + (now - self.sent_at) / RARELY
        return True


@dataclass
class Log:
    """Counts over all users; several threads write to it."""

    ended: int = 0
    repeats: int = 0
    """Requests that had to be repeated because the service was down or too busy."""
    replays: int = 0
    """Jobs sent twice on purpose."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, **more: int) -> None:
        with self.lock:
            for name, number in more.items():
                setattr(self, name, getattr(self, name) + number)


class SoakClient:
    """One user with its own key; `seen` is complete when `run` has returned."""

    def __init__(
        self,
        url: str,
        user: str,
        key: str,
        jobs: Sequence[SoakJob],
        *,
        secret: str,
        webhook: Callable[[SoakJob], Webhook | None],
        checkpoint: str,
        log: Log,
        stopped: threading.Event,
    ) -> None:
        self.user = user
        self.seen = [Seen(job) for job in jobs]
        self.key = key
        self.secret = secret
        """The secret of its webhooks."""
        self._url, self._checkpoint, self._webhook = url, checkpoint, webhook
        self._log, self._stopped = log, stopped
        self._last_reason: Exception | None = None

    def run(self) -> None:
        """Send all jobs and follow them until they are done.

        Raises:
            SoakError: the soak was stopped early.
            CloudError: an answer that repeating does not help against.
        """
        with GenerateOnCloud(self._url, self.key) as cloud:
            waiting = list(self.seen)
            open_: list[Seen] = []
            while waiting or open_:
                while waiting and len(open_) < AHEAD:
                    open_.append(self._send(cloud, waiting.pop(0)))
                open_ = [seen for seen in open_ if not (seen.due() and self._look(cloud, seen))]
                self._pause(LOOK_SECONDS)

    def _send(self, cloud: GenerateOnCloud, seen: Seen) -> Seen:
        def submit() -> JobView:
            drawn = seen.job.task is Task.TXT2IMG
            return cloud.jobs.submit(
                CreateJob(
                    task=seen.job.task,
                    params=seen.job.params,
                    checkpoint=self._checkpoint if drawn else None,
                    metadata={"number": str(seen.job.number)},
                    webhook=self._webhook(seen.job),
                ),
                idempotency_key=f"soak-{seen.job.number}",
            )

        job = self._until_answered(submit)
        if seen.job.number % SENT_TWICE == 0:
            again = self._until_answered(submit)
            self._log.count(replays=1)
            if again.job_id != job.job_id:
                seen.faults.append(f"sent twice under one key, it became {job.job_id} and {again.job_id}")
        seen.sent(job.job_id)
        return seen

    def _look(self, cloud: GenerateOnCloud, seen: Seen) -> bool:
        """Poll the job; returns whether it is done: it succeeded and was checked, or it may not be retried."""
        job = self._until_answered(lambda: cloud.jobs.get(seen.job_ids[-1]))
        if job.status not in TERMINAL:
            return False
        seen.ends.append(job.status)
        if job.status is JobStatus.SUCCEEDED:
            self._check(seen, job)
        elif job.error is None or job.error.code is not JobErrorCode.WORKER_LOST:
            seen.faults.append(f"{job.job_id} finished as {job.status}: {job.error}")
        elif len(seen.job_ids) <= MAX_RETRIES:
            again = self._until_answered(lambda: cloud.jobs.retry(job.job_id, idempotency_key=f"again-{job.job_id}"))
            seen.sent(again.job_id)
            return False
        else:
            seen.faults.append(f"lost {len(seen.job_ids)} times")
        self._log.count(ended=1)
        return True

    def _check(self, seen: Seen, job: JobView) -> None:
        if job.metadata != {"number": str(seen.job.number)}:
            seen.faults.append(f"its metadata are {job.metadata}")
        if job.result is None:
            seen.faults.append("it succeeded without a result")
            return
        urls = [image.url for image in job.result.images]
        pictures = [self._until_answered(lambda url=url: _download(url)) for url in urls]  # type: ignore[misc]
        seen.faults += seen.job.faults(pictures, job.seeds)

    def _until_answered(self, ask: Callable[[], Answer]) -> Answer:
        """Repeat a request, as a patient client does, until it is answered."""
        while True:
            try:
                return ask()
            except (ConnectionLostError, TransferError, httpx.TransportError) as error:
                reason: Exception = error
            except ProblemError as error:
                if error.problem.status < 500 and error.problem.status not in (409, TOO_MANY):
                    raise
                reason = error
            self._log.count(repeats=1)
            self._last_reason = reason
            self._pause(PAUSE_SECONDS)

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            left = sum(1 for seen in self.seen if not seen.ends)
            raise SoakError(f"{self.user} was stopped with {left} jobs to go; last trouble: {self._last_reason}")


def _download(url: str) -> bytes:
    answer = httpx.get(url, timeout=60)
    if answer.is_error:
        raise TransferError(f"storage answered {answer.status_code}")
    return answer.content

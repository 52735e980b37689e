"""A running job's heartbeat: a thread that updates its row and learns when the job must stop."""

import logging
import threading
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import Progress
from inference_container.job_record import JobRecords
from inference_container.time_limit import TimeLimit

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats during the `with` block, also while the job reports nothing, and once more at its end."""

    def __init__(self, records: JobRecords, job_id: str, *, seconds: float, limit: TimeLimit | None = None) -> None:
        """`seconds` between two beats; `limit` is the run's time limit, if any."""
        self._records = records
        self._limit = limit
        self._job_id = job_id
        self._seconds = seconds
        self._progress = Progress(phase=JobPhase.STARTING)
        self._skips = 0
        self._skips_before: int | None = None
        """Those of a worker that was lost; None until the first beat."""
        self._reason_to_stop: JobFailed | None = None
        self._ours = True
        """False once a beat has found that the job was canceled or taken."""
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat_until_ended, name=f"heartbeat {job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None:
            with self._lock:
                self._progress = self._progress.model_copy(update={"step": self._progress.steps})
        # The last beat may be a second old, and a short job has had none. Whatever goes wrong now, the job is over.
        if self._ours:
            self._beat()

    @property
    def skips(self) -> int:
        """Grows when the user asks to skip a batch; what was asked of a lost worker before does not count."""
        return self._skips - (self._skips_before or 0)

    @property
    def progress(self) -> Progress:
        """The progress that the next beat reports."""
        return self._progress

    def report(self, progress: Progress) -> None:
        """Record the job's progress for the next beat; steps never go back.

        Raises:
            JobFailed: the job must stop, see `check`.
        """
        with self._lock:
            self._progress = progress.model_copy(
                update={
                    "step": max(progress.step, self._progress.step),
                    "steps": max(progress.steps, self._progress.steps),
                    "previews": self._progress.previews,
                }
            )
        self.check()

    def note_preview(self) -> None:
        """Count a stored preview; the next beat reports it."""
        with self._lock:
            self._progress = self._progress.model_copy(update={"previews": self._progress.previews + 1})

    def enter(self, phase: JobPhase) -> None:
        """Report a change of phase; raises like `report`."""
        self.report(Progress(phase=phase))

    def check(self) -> None:
        """Raise JobFailed if the job was canceled, taken by another worker or out of time, or the container stops."""
        if self._reason_to_stop is not None:
            raise self._reason_to_stop
        if self._limit is not None:
            self._limit.check()

    def stop_job(self, code: JobErrorCode, message: str) -> None:
        """Make the job fail with this error at its next step; the first reason counts."""
        with self._lock:
            self._reason_to_stop = self._reason_to_stop or JobFailed(code, message)

    def _beat_until_ended(self) -> None:
        while not self._ended.wait(self._seconds) and self._ours:
            self._beat()

    def _beat(self) -> None:
        """Write a heartbeat; never raises, so that neither the thread nor the end of the job does."""
        try:
            asked = self._records.beat(self._job_id, self._progress, skips=self._skips)
            if self._skips_before is None:
                self._skips_before = asked
            self._skips = asked
        except JobFailed as stop:
            self._ours = False
            self.stop_job(stop.error.code, stop.error.message)
        except (BotoCoreError, ClientError) as error:
            # The next beat may succeed. If none does, another worker claims the job and a later beat says so.
            log.warning("a heartbeat failed: %s", error, extra={"job_id": self._job_id})
        except Exception:  # a job without a heartbeat would run twice
            log.exception("a heartbeat failed unexpectedly", extra={"job_id": self._job_id})

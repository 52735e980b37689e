"""Progress of a running job."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import Progress
from inference_container.phase_clock import PhaseClock
from inference_container.task import ReportProgress, no_skips


class JobProgress:
    """Reports a job's phases and counts its sampling steps over all batches; steps never go back."""

    def __init__(self, *, report: ReportProgress, clock: PhaseClock, skips: Callable[[], int] = no_skips) -> None:
        self.skips = skips
        self._report = report
        self._clock = clock
        self._phase = JobPhase.ENCODING
        self._step = 0
        self._steps = 0
        self._before = 0
        self._ahead: list[float] = []

    @contextmanager
    def phase(self, phase: JobPhase) -> Iterator[None]:
        """Report and measure `phase` while the block runs. Phases do not nest.

        Raises:
            JobFailed: the job was canceled.
        """
        self._phase = phase
        self._tell()
        with self._clock.phase(phase):
            yield

    def split(self, weights: Sequence[float]) -> None:
        """Announce parts that each call `expect` once, with their expected shares of the work.

        The total is estimated from these until the last part has begun.
        """
        self._ahead = list(weights)

    def expect(self, steps: int) -> None:
        """Set the steps of the whole job, or of its next part, each of which is one model call."""
        self._before, later = self._step if self._ahead else 0, 0
        if self._ahead:
            weight = self._ahead.pop(0)
            later = math.ceil(steps * sum(self._ahead) / weight) if weight > 0 else 0
        self._steps = self._before + steps + later

    def advance_to(self, step: int) -> None:
        """Report that `step` steps of the whole job, or of its current part, are done.

        Raises:
            JobFailed: the job was canceled.
        """
        self._step = max(self._step, min(self._before + step, self._steps))
        self._tell()

    def advance(self) -> None:
        """Report that one more step is done.

        Raises:
            JobFailed: the job was canceled.
        """
        self.advance_to(self._step - self._before + 1)

    def check(self) -> None:
        """Report the same progress again.

        Raises:
            JobFailed: the job was canceled.
        """
        self._tell()

    def counter(self, *, start: int, end: int) -> Callable[[int], None]:
        """A function that reports the number of model calls of one batch, counted from step `start` up to `end`."""
        return lambda calls: self.advance_to(min(start + calls, end))

    def _tell(self) -> None:
        self._report(Progress(phase=self._phase, step=self._step, steps=self._steps))

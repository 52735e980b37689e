"""Progress of a running job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import Progress
from inference_container.phase_clock import PhaseClock
from inference_container.task import ReportProgress


class JobProgress:
    """Reports a job's phases and counts its sampling steps over all batches; steps never go back."""

    def __init__(self, *, report: ReportProgress, clock: PhaseClock) -> None:
        self._report = report
        self._clock = clock
        self._phase = JobPhase.ENCODING
        self._step = 0
        self._steps = 0

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

    def expect(self, steps: int) -> None:
        """Set the total of the whole job's steps, each of which is one model call."""
        self._steps = steps

    def advance_to(self, step: int) -> None:
        """Report that `step` sampling steps of the whole job are done.

        Raises:
            JobFailed: the job was canceled.
        """
        self._step = max(self._step, min(step, self._steps))
        self._tell()

    def advance(self) -> None:
        """Report that one more of the whole job's steps is done.

        Raises:
            JobFailed: the job was canceled.
        """
        self.advance_to(self._step + 1)

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

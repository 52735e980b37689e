"""Measures how long each phase of a job takes; a job's worker and its task share one clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from generate_on_cloud.contract.jobs import JobPhase

TOTAL = "total"
"""Key in the timings of the seconds since the clock started."""
PhaseEnded = Callable[[JobPhase, float], None]


class PhaseClock:
    """Starts when it is created. Entering a phase again adds to its seconds; phases do not nest."""

    def __init__(
        self, *, now: Callable[[], float] = time.perf_counter, ended: PhaseEnded = lambda _phase, _seconds: None
    ) -> None:
        """`now` returns seconds since any fixed point; `ended` is called whenever a phase ends, with its seconds."""
        self._now = now
        self._ended = ended
        self._started = now()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, phase: JobPhase) -> Iterator[None]:
        """Measure `phase` while the block runs, even if it fails."""
        began = self._now()
        try:
            yield
        finally:
            seconds = self._now() - began
            self._seconds[phase.value] = self._seconds.get(phase.value, 0.0) + seconds
            self._ended(phase, seconds)

    def replace(self, phase: JobPhase, seconds: float) -> None:
        """Set the seconds of a phase that began before this clock started."""
        self._seconds[phase.value] = seconds

    @property
    def total(self) -> float:
        """Seconds since the clock started."""
        return self._now() - self._started

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of each phase so far by name, and the `total`."""
        return {**self._seconds, TOTAL: self.total}

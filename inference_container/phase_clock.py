"""How long each phase of a job took: one clock for a job, read by its worker and its task alike."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from generate_on_cloud.contract.jobs import JobPhase

TOTAL = "total"
"""Of the timings: the seconds since the clock was started."""


class PhaseClock:
    """Starts when it is made. A phase entered again adds to its seconds; phases do not nest."""

    def __init__(self, *, now: Callable[[], float] = time.perf_counter) -> None:
        """`now` gives seconds from any zero."""
        self._now = now
        self._started = now()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, phase: JobPhase) -> Iterator[None]:
        """Measure `phase` while the block runs, also when it fails."""
        began = self._now()
        try:
            yield
        finally:
            self._seconds[phase.value] = self._seconds.get(phase.value, 0.0) + self._now() - began

    def replace(self, phase: JobPhase, seconds: float) -> None:
        """`phase` took this long, whatever was measured: it began before this clock did."""
        self._seconds[phase.value] = seconds

    @property
    def total(self) -> float:
        """Seconds since the clock was started."""
        return self._now() - self._started

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of each phase so far, by its name, and the `total`."""
        return {**self._seconds, TOTAL: self.total}

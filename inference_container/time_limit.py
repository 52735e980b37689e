"""The time limit of a run: the container stops it by itself shortly before SageMaker would cut the request.

SageMaker drops the connection at the limit and says nothing to the container, whose answer is lost then.
"""

import faulthandler
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed

MARGIN_SECONDS = 5.0
"""Time reserved to clean up and answer; a tenth of the limit if that is shorter than fifty seconds."""

STUCK_SECONDS = 30.0
"""A run that goes on for so long after its limit never reaches a step that could stop it."""


@dataclass(frozen=True)
class TimeLimit:
    """The limit of one run."""

    seconds: float | None
    """The time that SageMaker allows; None if the request does not say."""
    began: float
    """When SageMaker sent the request, by `clock`."""
    clock: Callable[[], float] = time.monotonic

    def check(self) -> None:
        """Raise JobFailed (TIMED_OUT) once the time is over."""
        if self.seconds is None or self.clock() - self.began < self.seconds - min(MARGIN_SECONDS, self.seconds / 10):
            return
        raise JobFailed(
            JobErrorCode.TIMED_OUT, f"the run was ended after {self.seconds:g} s, which is its limit (run_timeout_s)"
        )

    @contextmanager
    def exits_when_stuck(self, *, after: float = STUCK_SECONDS) -> Iterator[None]:
        """End the process, with a traceback of where it is stuck, if the block runs `after` seconds over the limit.

        The process is started again; a thread that is stuck would never take another job. This works even where the
        interpreter itself is stuck in one instruction.
        """
        if self.seconds is None:
            yield
            return
        left = max(0.0, self.seconds - (self.clock() - self.began))
        faulthandler.dump_traceback_later(left + after, exit=True, file=sys.__stderr__ or sys.stderr)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

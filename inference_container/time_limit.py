"""The time limit of a run: the container stops it by itself shortly before SageMaker would cut the request.

SageMaker drops the connection at the limit and says nothing to the container, whose answer is lost then.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed

MARGIN_SECONDS = 5.0
"""Time reserved to clean up and answer; a tenth of the limit if that is shorter than fifty seconds."""


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

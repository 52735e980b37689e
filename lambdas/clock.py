"""Time as an argument, so that tests can set it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lambdas.aws.rows import utc_now


@dataclass(frozen=True)
class Clock:
    now: Callable[[], datetime] = utc_now
    """The current time in UTC."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never go back, for waits and for short-lived caches."""
    sleep: Callable[[float], None] = time.sleep

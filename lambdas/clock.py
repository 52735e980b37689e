"""Time as an argument, so that a test decides what time it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lambdas.aws.rows import utc_now


@dataclass(frozen=True)
class Clock:
    now: Callable[[], datetime] = utc_now
    """The moment, in UTC."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never go back, for waits and for what is remembered for a while."""
    sleep: Callable[[float], None] = time.sleep

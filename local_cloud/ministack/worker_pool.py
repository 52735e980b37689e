"""A bounded number of processes per function: requests beyond it wait for one, in the order in which they came."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from local_cloud.ministack.patches import replace

WORKERS = 8
"""Processes per function at most, of some 66 MB each. Those not needed for a minute end, but the last."""
POLLS = WORKERS // 2
"""How many requests may wait inside a process of the API; the others wait where it costs nothing."""
WAIT_SECONDS = 29.0
"""How long a request waits for a process: as long as API Gateway waits for an answer."""
_LOOK_SECONDS = 1.0


class WorkerPool:
    """The queues for the workers of all functions; created once, it installs itself in ministack."""

    def __init__(self, size: int = WORKERS, *, seconds: float = WAIT_SECONDS) -> None:
        self._seconds = seconds
        self._changed = threading.Condition()
        self._lines: defaultdict[str, deque[object]] = defaultdict(deque)
        replace("core.lambda_runtime._LOCAL_MAX_WORKERS", lambda _: size)
        replace("services.lambda_svc.acquire_worker", self.queued)
        replace("services.lambda_svc.release_worker", self.releasing)

    def queued(self, acquire: Callable[..., Any]) -> Callable[..., Any]:
        """`acquire`, which waits for a worker instead of returning None; None only after the pool's time."""

        def acquired(function: str, *arguments: Any, **named: Any) -> Any:
            deadline, ticket = time.monotonic() + self._seconds, object()
            with self._changed:
                line = self._lines[function]
                line.append(ticket)
                try:
                    while True:
                        worker, reason = acquire(function, *arguments, **named) if line[0] is ticket else (None, "")
                        left = deadline - time.monotonic()
                        if worker is not None or left <= 0:
                            return worker, reason or "func_cap"
                        # A worker may also end without being released.
                        self._changed.wait(min(left, _LOOK_SECONDS))
                finally:
                    line.remove(ticket)
                    self._changed.notify_all()

        return acquired

    def releasing(self, release: Callable[..., None]) -> Callable[..., None]:
        """`release`, after which the next in the queue gets the worker."""

        def released(*arguments: Any) -> None:
            release(*arguments)
            with self._changed:
                self._changed.notify_all()

        return released

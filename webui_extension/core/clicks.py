"""Clicks that were already taken: the page repeats one that gradio seems to have dropped, and may be wrong."""

from __future__ import annotations

import threading
from collections import deque

KEPT = 1000
"""Clicks that are remembered: far more than a page repeats within half a minute."""


class Clicks:
    """Takes each click once; every repetition has the same id."""

    def __init__(self) -> None:
        self._taken: deque[str] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def take(self, click_id: str) -> bool:
        """Whether this click is new."""
        with self._lock:
            if click_id in self._taken:
                return False
            self._taken.append(click_id)
            return True

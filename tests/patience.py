"""Waits for what another thread or process does, and fails the test when it never happens."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], what: str, *, seconds: float = 20, every: float = 0.01) -> T:
    """The first true value that `look` gives.

    Raises:
        AssertionError: there was none in `seconds`; the text names `what` was waited for.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"never happened in {seconds:g} s: {what}"
        threading.Event().wait(every)
    return found

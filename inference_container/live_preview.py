"""A running job's preview: a thread that stores the newest picture at the heartbeat's rate and never fails a job."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger(__name__)

Render = Callable[[], bytes]
"""Renders a preview to a file's bytes; called on the preview's thread."""


class LivePreview:
    """Stores previews during the `with` block, on its own thread so that slow uploads delay neither steps nor beats."""

    def __init__(self, store: Callable[[bytes], None], *, stored: Callable[[], None], seconds: float) -> None:
        """`store` saves the file where users find it, replacing the previous one; `stored` is called after each."""
        self._store = store
        self._stored = stored
        self._seconds = seconds
        self._newest: Render | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._store_until_ended, name="preview", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def offer(self, render: Render) -> None:
        """Offer the newest preview; it replaces one that has not been stored yet."""
        with self._lock:
            self._newest = render

    def _store_until_ended(self) -> None:
        while not self._ended.wait(self._seconds):
            with self._lock:
                render, self._newest = self._newest, None
            if render is None:
                continue
            try:
                self._store(render())
            except (BotoCoreError, ClientError) as error:
                log.warning("a preview could not be stored: %s", error)
                continue
            except Exception:  # the thread's outermost level: a failing preview must not fail the job
                log.exception("this job will have no more previews")
                return
            self._stored()

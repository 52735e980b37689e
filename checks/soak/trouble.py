"""Kills the container again and again while jobs run, and the cloud itself once."""

import contextlib
import threading
import time
from collections.abc import Callable

import psutil

from local_cloud.cloud import LocalCloud
from tests.child_processes import children_with

CONTAINER_WORDS = "inference_container.server"
LOOK_SECONDS = 0.2


class Trouble:
    """Kills processes; `run` is meant for a separate thread."""

    def __init__(self, cloud: LocalCloud, *, kill_every: float, cloud_dies_when: Callable[[], bool]) -> None:
        self.container_kills = 0
        self.cloud_kills = 0
        self.restart_seconds = 0.0
        self.megabytes: list[float] = []
        """Memory of the cloud's process just before it was killed, and of its successor when ready."""
        self._cloud = cloud
        self._kill_every = kill_every
        self._cloud_dies_when = cloud_dies_when

    def run(self, stopped: threading.Event) -> None:
        """Cause trouble until `stopped`.

        Raises:
            CannotStartError: the cloud did not come back.
        """
        next_kill = time.monotonic() + self._kill_every
        while not stopped.wait(LOOK_SECONDS):
            if self.cloud_kills == 0 and self._cloud_dies_when():
                self._kill_cloud()
            elif time.monotonic() > next_kill:
                next_kill = time.monotonic() + self._kill_every
                self._kill_container()

    def _kill_container(self) -> None:
        for process in children_with(self._cloud.pid, CONTAINER_WORDS):
            # It may have exited by itself.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                self.container_kills += 1

    def _kill_cloud(self) -> None:
        self.megabytes.append(megabytes(self._cloud))
        self._cloud.kill()
        self.cloud_kills += 1
        began = time.monotonic()
        self._cloud.start()
        self.restart_seconds = time.monotonic() - began
        self.megabytes.append(megabytes(self._cloud))


def megabytes(cloud: LocalCloud) -> float:
    """Resident memory of the cloud's own process in megabytes, without the container and the functions."""
    return psutil.Process(cloud.pid).memory_info().rss / 1e6

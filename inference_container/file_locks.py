"""Advisory locks (`flock`) on files that several processes share; they end with the process that holds them."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_POLL_SECONDS = 0.1


@contextmanager
def locked(path: Path, *, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file at `path` and remove it afterwards. `wait` is called while another process holds it."""
    while True:
        with path.open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                time.sleep(LOCK_POLL_SECONDS)
                continue
            if not os.fstat(file.fileno()).st_nlink:
                continue  # its previous holder removed it after this process opened it
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def give_up() -> None:
    """Raise BlockingIOError: a `wait` that does not wait."""
    raise BlockingIOError


def removed_unless_in_use(path: Path) -> bool:
    """Remove the file; returns False if it is locked."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True

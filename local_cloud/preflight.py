"""What must be true before the local cloud starts, each with a one-line reason if it is not."""

import fcntl
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TextIO

import psutil

MINIMUM_FREE_BYTES = 2 * 1024**3
PYTHON = (3, 11)


class CannotStartError(Exception):
    """The local cloud cannot start; the text is for the user."""


def check_python(version: tuple[int, int]) -> None:
    """Raises CannotStartError unless `version` is the Python version that everything is built for."""
    if version != PYTHON:
        raise CannotStartError(
            f"this is Python {version[0]}.{version[1]} ({sys.executable}); the local cloud needs Python "
            f"{PYTHON[0]}.{PYTHON[1]}"
        )


def check_disk(folder: Path, minimum_bytes: int = MINIMUM_FREE_BYTES) -> None:
    """Raises CannotStartError if the disk that holds `folder` has less than `minimum_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < minimum_bytes:
        raise CannotStartError(
            f"only {free / 1024**3:.1f} GiB are free on the disk with {folder}; the local cloud needs "
            f"{minimum_bytes / 1024**3:.1f} GiB (choose another folder with --state-dir)"
        )


def bind_port(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1:`port`.

    Raises:
        CannotStartError: the port is in use; the text names the process if the system shows it.
    """
    # asyncio turns Nagle's algorithm off only on sockets with an explicit protocol; with it, answers take 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise CannotStartError(
            f"port {port} on 127.0.0.1 cannot be used: {error.strerror}{_holder(port)}; choose another one with "
            f"--port, e.g. --port {(other := free_port())} (make: PORT={other})"
        ) from error
    listener.setblocking(False)
    return listener


def free_port() -> int:
    """A port that is free right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (port,)
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""


def lock_state(state_dir: Path) -> TextIO:
    """The open lock file of `state_dir`; the lock is released when the process ends for any reason.

    Raises:
        CannotStartError: another local cloud runs on this folder, or the folder cannot be written.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (state_dir / "lock").open("a+")
    except OSError as error:
        raise CannotStartError(f"the state folder {state_dir} cannot be used: {error.strerror}") from error
    # Children must not keep the lock when this process is killed.
    os.set_inheritable(lock.fileno(), False)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise CannotStartError(
            f"another local cloud (process {holder}) runs on {state_dir}; stop it or choose another folder with "
            "--state-dir"
        ) from error
    lock.seek(0)
    lock.truncate()
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock

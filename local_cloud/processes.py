"""Child processes that never outlive the local cloud, however it ends."""

import os
import sys
from pathlib import Path

import psutil

from local_cloud.environment import STATE_VARIABLE

_TIED_PROCESS = Path(__file__).with_name("tied_process.py")


def tied_command(command: tuple[str, ...]) -> list[str]:
    """`command`, changed so that it dies with this process.

    Must be started by the main thread: Linux ties the child to the thread that starts it.
    """
    return [sys.executable, "-I", "-S", str(_TIED_PROCESS), str(os.getpid()), *command]


def kill_leftovers(state_dir: Path) -> list[int]:
    """Kill processes that an earlier local cloud on `state_dir` left behind; returns their ids.

    The caller holds the folder's lock, so no running local cloud can own them.
    """
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    killed: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid in mine:
            continue
        try:
            if process.environ().get(STATE_VARIABLE) == str(state_dir):
                process.kill()
                killed.append(process)
        except psutil.Error:
            continue
    psutil.wait_procs(killed, timeout=5)
    return [process.pid for process in killed]

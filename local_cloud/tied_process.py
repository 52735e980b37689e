"""Runs a command that dies with its parent: `tied_process.py PARENT_PID COMMAND…` (a script, imports stdlib only)."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the command, tied to the parent if the system supports that (Linux)."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the processes were tied.
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is the local cloud's own


if __name__ == "__main__":
    main(sys.argv[1:])

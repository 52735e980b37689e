"""The exit codes of `goc`: what a script may do next is told by the number alone."""

from collections.abc import Mapping
from enum import IntEnum

from generate_on_cloud.client.errors import (
    CloudError,
    ConnectionLostError,
    NotFoundError,
    NotLoggedInError,
    ProblemError,
    TransferError,
)
from generate_on_cloud.contract.errors import ProblemCode


class ExitCode(IntEnum):
    """The table in docs/assets.md, row by row."""

    DONE = 0
    FAILED = 1
    """A job or an asset ended without success, or something on this machine is wrong: no such file, disk full."""
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    """No login, a wrong key, or a key that may not do that."""
    CONFLICT = 5
    """What is there, or a quota, stands against it; later or under another name it may succeed."""
    REFUSED = 6
    """The request is not good and will not become better."""
    NOT_REACHED = 7
    """Network, storage or service broke off: the same command may succeed, and goes on where it was."""
    INTERRUPTED = 130


_OF_STATUS: Mapping[int, ExitCode] = {
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    429: ExitCode.CONFLICT,
}
_OF_KIND: Mapping[type[CloudError], ExitCode] = {
    ConnectionLostError: ExitCode.NOT_REACHED,
    TransferError: ExitCode.NOT_REACHED,
    NotLoggedInError: ExitCode.NOT_ALLOWED,
    NotFoundError: ExitCode.NOT_FOUND,
}


def exit_code_of(error: Exception) -> ExitCode:
    """The exit code of a command that ended with `error`."""
    if isinstance(error, ProblemError):
        if error.problem.code is ProblemCode.UPLOAD_MISMATCH:
            return ExitCode.FAILED  # the file is not what it says, as if that had been found a moment later
        if error.problem.status >= 500:
            return ExitCode.NOT_REACHED
        return _OF_STATUS.get(error.problem.status, ExitCode.REFUSED)
    return next((code for kind, code in _OF_KIND.items() if isinstance(error, kind)), ExitCode.FAILED)

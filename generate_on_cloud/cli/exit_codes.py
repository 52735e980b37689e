"""The exit codes of `goc`: the number alone tells a script what it can do next."""

from collections.abc import Mapping
from enum import IntEnum

from generate_on_cloud.client.errors import (
    CloudError,
    ConnectionLostError,
    NotFoundError,
    NotLoggedInError,
    ProblemError,
    TransferError,
    WrongUrlError,
)
from generate_on_cloud.contract.errors import ProblemCode


class ExitCode(IntEnum):
    """The table in docs/assets.md, row by row."""

    DONE = 0
    FAILED = 1
    """A job or an asset failed, or something on this machine is wrong: a missing file, a full disk."""
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    """Not logged in, a wrong URL or key, or a key without the permission."""
    CONFLICT = 5
    """Something that already exists, or a quota, blocks the request; retry later or use another name."""
    REFUSED = 6
    """The request is invalid; repeating it cannot help."""
    NOT_REACHED = 7
    """Network, storage or service failed: run the same command again, it resumes where it stopped."""
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
    WrongUrlError: ExitCode.NOT_ALLOWED,
    NotFoundError: ExitCode.NOT_FOUND,
}


def exit_code_of(error: Exception) -> ExitCode:
    """The exit code for a command that failed with `error`."""
    if isinstance(error, ProblemError):
        if error.problem.code is ProblemCode.UPLOAD_MISMATCH:
            return ExitCode.FAILED  # the file is not what was declared; inspection would find the same a moment later
        if error.problem.status >= 500:
            return ExitCode.NOT_REACHED
        return _OF_STATUS.get(error.problem.status, ExitCode.REFUSED)
    return next((code for kind, code in _OF_KIND.items() if isinstance(error, kind)), ExitCode.FAILED)

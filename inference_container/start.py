"""The image's entry point: SageMaker starts containers as root, but everything after these lines runs as USER.

The disk that SageMaker mounts on /tmp is writable for root only. So root makes the cache folder and gives it to USER,
then drops its privileges for good and becomes the server.
"""

import os
import pwd
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from inference_container.cache_directory import DEFAULT

USER: Final = "goc"
SERVER: Final = "inference_container.server"


def prepared(user: pwd.struct_passwd, environment: Mapping[str, str]) -> dict[str, str]:
    """As root: give `user` the cache folder, become that user, and return the server's environment.

    If the folder cannot be made, the server logs the reason and returns it from /ping.
    """
    cache = Path(environment.get("CACHE_DIR") or DEFAULT)
    temporary = cache / "tmp"
    with suppress(OSError):  # the server says why, in one line
        for folder in (cache, temporary):
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    # /tmp itself belongs to root, so temporary files go to the cache folder too.
    return {"TMPDIR": str(temporary), **environment, "HOME": user.pw_dir, "USER": user.pw_name}


def main() -> None:
    """Become the server, with this process's arguments; a process that is not root keeps its user."""
    environment = dict(os.environ)
    if os.geteuid() == 0:
        environment = prepared(pwd.getpwnam(USER), environment)
    os.execve(sys.executable, [sys.executable, "-m", SERVER, *sys.argv[1:]], environment)  # noqa: S606


if __name__ == "__main__":
    main()

"""Files that only the account that runs the local cloud can read."""

import os
from pathlib import Path

OWNER_ONLY = 0o077
"""The umask of every process of the local cloud."""


def write_private(path: Path, text: str) -> None:
    """Replace the file at `path` by one with mode 0600; readers see the old text or the new one."""
    partial = path.with_suffix(".tmp")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def close_to_others(folder: Path) -> None:
    """Take the rights of group and others from `folder` and everything in it, which older versions left open."""
    for place, _, names in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in names)):
            if not path.is_symlink() and path.stat().st_mode & OWNER_ONLY:
                path.chmod(path.stat().st_mode & ~OWNER_ONLY & 0o7777)

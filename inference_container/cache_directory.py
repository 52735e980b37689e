"""The folder of the disk cache: its default, and a check that it can be used."""

import tempfile
from pathlib import Path
from typing import Final

DEFAULT: Final = Path("/tmp/generate-on-cloud")  # noqa: S108 - the container's own scratch disk
"""SageMaker mounts the NVMe disk of an instance on /tmp."""


def why_unusable(folder: Path) -> str | None:
    """Make the folder and write a file there; None if that works, else the reason with the folder's name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
    except OSError as error:
        return f"the cache folder {folder} (CACHE_DIR) cannot be written: {error.strerror or error}"
    return None

"""Reads a pickle in a child process first: one that hangs or crashes its reader costs the job, not the worker."""

import subprocess
import sys
from pathlib import Path

import generate_on_cloud
from generate_on_cloud.model_files.refusals import BrokenFileError

MODULE = "generate_on_cloud.model_files.rehearsal"
CPU_SECONDS = 10
"""Ten times what the longest pickle that is allowed takes."""
MEMORY_BYTES = 2**30
WALL_SECONDS = 60.0
"""For a machine whose processors are busy."""
_ROOT = Path(generate_on_cloud.__file__).parents[1]


def rehearse(
    path: Path, *, module: str = MODULE, cpu_seconds: int = CPU_SECONDS, wall_seconds: float = WALL_SECONDS
) -> None:
    """Run the reader on the file in a process that has so many seconds and MEMORY_BYTES.

    What passes here is then read in this process by the same code, with the same end.

    Raises:
        BrokenFileError: the reader did not come to an end within these limits.
    """
    limits = (str(cpu_seconds), str(MEMORY_BYTES))
    command = (sys.executable, "-S", "-E", "-s", "-m", module, str(path.absolute()), *limits)
    try:
        ended = subprocess.run(  # noqa: S603 - our own program; the file's path is ours, too
            command, cwd=_ROOT, env={}, capture_output=True, timeout=wall_seconds, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        ended = None
    if ended != 0:
        raise BrokenFileError(
            f"it cannot be read in {cpu_seconds} seconds of a processor and {MEMORY_BYTES // 2**20} MiB of memory"
        )

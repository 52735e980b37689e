"""Reads a pickle in a process of little time and memory: `python -m …model_files.rehearsal FILE SECONDS BYTES`.

The seconds are of a processor. Exits with 0 if the file can be read or refused within these limits. Needs the standard
library only, to start quickly.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path

from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.refusals import RefusedFileError
from generate_on_cloud.model_files.saved_tensors import read_torch_file


def main(path: Path, cpu_seconds: int, memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    with suppress(RefusedFileError):
        read_torch_file(FileBytes(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

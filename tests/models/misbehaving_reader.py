"""A reader of pickles that does what its file says; it has the limits of the real one."""

import ctypes
import sys
import time
from pathlib import Path

from generate_on_cloud.model_files import rehearsal
from generate_on_cloud.model_files.file_bytes import FileBytes


def _misbehave(source: FileBytes) -> None:
    how = source.read(0, 10).decode()
    if how == "loop":
        pair: tuple[object, ...] = ()
        for _ in range(60):
            pair = (pair, pair)
        hash(pair)
    elif how == "wait":
        time.sleep(60)
    elif how == "crash":
        ctypes.string_at(0)
    elif how == "grow":
        bytearray(2**31)
    elif how == "nest":
        sys.setrecursionlimit(10**9)
        _nest()
    else:
        raise LookupError(how)


def _nest() -> None:
    _nest()


if __name__ == "__main__":
    vars(rehearsal)["read_torch_file"] = _misbehave
    rehearsal.main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

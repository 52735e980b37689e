"""Keeps the memory that one step frees for the next, on machines that draw with the CPU.

glibc gives large pieces of memory back to the system at once. A step of a UNet would get them anew half a million pages
at a time, which costs a fifth of its time.
"""

import ctypes
from pathlib import Path
from typing import Final, Literal

DeviceName = Literal["auto", "cpu", "cuda"]

# Names and numbers are those of glibc's malloc.h.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
NEVER: Final = -1
LARGEST_KEPT: Final = 1 << 30
"""Bytes; larger pieces go back to the system as before."""
_GPU = Path("/dev/nvidiactl")


class Allocator:
    """The C library's allocator of this process."""

    def __init__(self, *, library: ctypes.CDLL | None = None) -> None:
        """`library` is the C library; None: that of the process."""
        self._library = library or ctypes.CDLL(None)
        self._keeps = False

    def keep_freed_memory(self) -> bool:
        """Keep what is freed; call it before other threads start. Returns whether the C library can do that."""
        mallopt = getattr(self._library, "mallopt", None)
        if mallopt is None or not hasattr(self._library, "malloc_trim"):
            return False
        # Only the first arena grows without limit, so all threads have to share it.
        settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGEST_KEPT), (M_TRIM_THRESHOLD, NEVER))
        self._keeps = all(mallopt(name, value) == 1 for name, value in settings)
        return self._keeps

    def return_freed_memory(self) -> None:
        """Give the system back what is not in use, if it has been kept: between jobs others may need it."""
        if self._keeps:
            self._library.malloc_trim(0)


ALLOCATOR: Final = Allocator()
"""Of this process."""


def draws_with_cpu(device: DeviceName) -> bool:
    """Whether models will run on the CPU, told without importing torch."""
    return device == "cpu" or (device == "auto" and not _GPU.exists())

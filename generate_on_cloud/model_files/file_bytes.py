"""A file on this machine's disk, as a source of bytes by ranges."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FileBytes:
    """A file that nobody writes to any more."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)

"""A file on the local disk as a source of byte ranges."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FileBytes:
    """A local file that no longer changes."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)

"""Every acknowledged DynamoDB write, appended to a file before its answer, to be replayed over the last snapshot.

One file per generation; a snapshot with all writes up to generation N makes those files obsolete. Appending costs the
same however many rows there are; saving the tables does not.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_PATTERN = "dynamodb-*.journal"


@dataclass(frozen=True, kw_only=True)
class JournaledWrite:
    """One successful write request as DynamoDB received it."""

    account: str
    region: str
    action: str
    body: str


class Journal:
    """The writes since the last snapshot. Not thread-safe: only the event loop appends and rotates."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.generation = max((_generation(path) for path in folder.glob(_PATTERN)), default=0) + 1
        self.size = 0
        """Bytes of whole lines in the current file; room that was made for more may follow them."""
        self._promised = 0
        self._file: int | None = None

    def make_room(self, write: JournaledWrite) -> int:
        """Take the disk space that `write` will need, before the write is applied; returns its bytes.

        Raises:
            OSError: the disk is full or unavailable; the write must not be applied.
        """
        size = len(_line(write))
        os.posix_fallocate(self._opened(), self.size + self._promised, size)
        self._promised += size
        return size

    def give_back(self, size: int) -> None:
        """The write for which `make_room` took these bytes has been appended or was refused."""
        self._promised = max(0, self._promised - size)

    def append(self, write: JournaledWrite) -> None:
        """Pass `write` to the operating system; from then on it survives the death of this process.

        Raises:
            OSError: the disk is full or unavailable; the write must not be acknowledged.
        """
        file, line = self._opened(), _line(write)
        rest, place = memoryview(line), self.size
        try:
            while rest:
                written = os.pwrite(file, rest, place)
                rest, place = rest[written:], place + written
        except OSError:
            # A partial line would corrupt the next one.
            os.ftruncate(file, self.size)
            raise
        self.size += len(line)

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path(self.generation), os.O_WRONLY | os.O_CREAT, 0o600)
        return self._file

    def rotate(self) -> None:
        """Start the next generation; all earlier ones are in a snapshot and are deleted."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.generation += 1
        self.size = 0
        for path in self._folder.glob(_PATTERN):
            if _generation(path) < self.generation:
                path.unlink()

    def replay(self, *, after: int) -> Iterator[JournaledWrite]:
        """The writes of all generations after `after`, oldest first. A truncated last line was never acknowledged."""
        for path in sorted(self._folder.glob(_PATTERN), key=_generation):
            if not after < _generation(path) < self.generation:
                continue
            for line in path.read_bytes().split(b"\n")[:-1]:
                yield JournaledWrite(**json.loads(line))

    def _path(self, generation: int) -> Path:
        return self._folder / f"dynamodb-{generation:010d}.journal"


def _line(write: JournaledWrite) -> bytes:
    return json.dumps(asdict(write)).encode() + b"\n"


def _generation(path: Path) -> int:
    return int(path.stem.removeprefix("dynamodb-"))

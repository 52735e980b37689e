"""Range reads of a stored file, and a file object on top of them that bounds the size of each read."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from generate_on_cloud.model_files.refusals import RefusedFileError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024**2
BLOCK = MIB
"""Bytes fetched at once for a small read."""
MOST_AT_ONCE = 64 * MIB
CHUNK = 8 * MIB
AHEAD = 4
"""Chunks fetched ahead of the one in use."""


class ByteSource(Protocol):
    """A file of known size that can be read at any offset."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, `length` of them or fewer where the file ends."""


@dataclass(frozen=True)
class S3Bytes:
    """An object in S3, pinned to the ETag it had when its size was read."""

    client: "S3Client"
    bucket: str
    key: str
    size: int
    etag: str

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        answer = self.client.get_object(
            Bucket=self.bucket, Key=self.key, Range=f"bytes={offset}-{end - 1}", IfMatch=self.etag
        )
        return answer["Body"].read()


def stream(source: ByteSource) -> Iterator[bytes]:
    """The whole file in chunks from the start, with AHEAD chunks fetched in advance."""
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: list[Future[bytes]] = []
        offsets = iter(range(0, source.size, CHUNK))
        while True:
            while len(waiting) < AHEAD and (offset := next(offsets, None)) is not None:
                waiting.append(pool.submit(source.read, offset, CHUNK))
            if not waiting:
                return
            yield waiting.pop(0).result()


class RangedFile:
    """The file methods that `zipfile` and `pickletools` need; one read takes at most MOST_AT_ONCE bytes."""

    def __init__(self, source: ByteSource, *, start: int = 0, size: int | None = None) -> None:
        self._source = source
        self._start = start
        self._size = source.size - start if size is None else size
        self._position = 0
        self._block, self._block_at = b"", -1

    @property
    def size(self) -> int:
        return self._size

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        position = (0, self._position, self._size)[whence] + offset
        if position < 0:
            # In a file that is too short, zipfile seeks to before the start; it takes this error as "not a zip".
            raise OSError("cannot seek before the start of the file")
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        if wanted > MOST_AT_ONCE:
            raise RefusedFileError(f"it requires reading {wanted} bytes at once; allowed: {MOST_AT_ONCE}")
        found = bytearray()
        while len(found) < wanted:
            piece = self._cached(wanted - len(found))
            if not piece:
                break
            found += piece
            self._position += len(piece)
        return bytes(found)

    def readline(self) -> bytes:
        """Read a short line, as the text opcodes of old pickles need."""
        line = self.read(4096)
        end = line.find(b"\n") + 1
        if end:
            self._position -= len(line) - end
            return line[:end]
        return line

    def _cached(self, length: int) -> bytes:
        at = self._position - self._position % BLOCK
        if at != self._block_at:
            self._block = self._source.read(self._start + at, min(BLOCK, self._size - at))
            self._block_at = at
        offset = self._position - at
        return self._block[offset : offset + length]

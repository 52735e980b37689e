"""Bytes of a stored file by ranges, and a file object over them that refuses to read more than a reader may need."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from generate_on_cloud.model_files.refusals import RefusedFileError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024**2
BLOCK = MIB
"""What a small read fetches at once."""
MOST_AT_ONCE = 64 * MIB
CHUNK = 8 * MIB
AHEAD = 4
"""Chunks that are fetched while one is worked on."""


class ByteSource(Protocol):
    """A file of known size that can be read anywhere."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly the bytes that are there from `offset` on, at most `length`."""


@dataclass(frozen=True)
class S3Bytes:
    """An object in S3, as it was when its size and ETag were asked for."""

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
    """The whole file from its start, AHEAD chunks fetched beside the one in use."""
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
    """What `zipfile` and `pickletools` need of a file; one read takes at most MOST_AT_ONCE bytes."""

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
            # zipfile looks for its end before the start of a file that is too short, and takes this as a no.
            raise OSError("before the start of the file")
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        if wanted > MOST_AT_ONCE:
            raise RefusedFileError(f"it asks for {wanted} bytes at once; allowed: {MOST_AT_ONCE}")
        found = bytearray()
        while len(found) < wanted:
            piece = self._cached(wanted - len(found))
            if not piece:
                break
            found += piece
            self._position += len(piece)
        return bytes(found)

    def readline(self) -> bytes:
        """For the text opcodes of old pickles, whose lines are short."""
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

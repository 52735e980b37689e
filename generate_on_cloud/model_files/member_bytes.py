"""A member of a zip archive as a source of byte ranges, unpacked as far as it is read."""

import zipfile
import zlib
from typing import IO

from generate_on_cloud.model_files.ranges import MIB
from generate_on_cloud.model_files.refusals import BrokenFileError

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""The errors that reading a malformed member raises."""


class MemberBytes:
    """A member that is best read forwards: whoever goes back unpacks it again from its beginning."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._member = member
        self._stream: IO[bytes] | None = None
        self._at = 0

    @property
    def size(self) -> int:
        return self._member.file_size

    def read(self, offset: int, length: int) -> bytes:
        """As any source does.

        Raises:
            BrokenFileError: the member cannot be unpacked.
        """
        try:
            if self._stream is None or offset < self._at:
                self._stream, self._at = self._archive.open(self._member), 0
            while self._at < offset and (skipped := self._stream.read(min(MIB, offset - self._at))):
                self._at += len(skipped)
            data = self._stream.read(length)
        except BROKEN as error:
            raise BrokenFileError(f"{self._member.filename} in it: {error}") from error
        self._at += len(data)
        return data

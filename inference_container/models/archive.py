"""Reads members of an uploaded .zip by name: nothing is unpacked by the archive's own paths or without a bound."""

import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import corrupt, incompatible

MAX_MEMBERS = 1_000
MAX_GROWTH = 10
"""How many times its own size an archive may unpack to: weights hardly shrink, word lists to a fifth."""
SLACK = 2**20
"""Bytes an archive may unpack to whatever its size."""
MAX_TEXT = 64 * 2**20
METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db")
"""What operating systems put into archives on their own."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError, ValueError)


@dataclass(frozen=True)
class Archive:
    """The members of an opened .zip that are files, by their paths in it."""

    file: ModelFile
    members: dict[str, zipfile.ZipInfo]
    zipped: zipfile.ZipFile

    def below(self, folder: str, suffix: str) -> Sequence[str]:
        """Paths of the files directly in `folder` ("" is the root) whose names end so, sorted."""
        place = PurePosixPath(folder)
        return sorted(
            name for name in self.members if PurePosixPath(name).parent == place and name.lower().endswith(suffix)
        )

    def text(self, name: str) -> str:
        """A member as UTF-8 text, a byte order mark left out.

        Raises:
            JobFailed: asset_corrupt.
        """
        if self.members[name].file_size > MAX_TEXT:
            raise incompatible(self.file, f"{name} in it has {self.members[name].file_size} bytes; allowed: {MAX_TEXT}")
        try:
            return self.zipped.read(name).decode("utf-8-sig")
        except _BROKEN as error:
            raise corrupt(self.file, f"{name} in it: {error}") from error

    @contextmanager
    def unpacked(self, name: str) -> Iterator[ModelFile]:
        """A member as a file of its own, which lasts as long as the block.

        Raises:
            JobFailed: asset_corrupt, or out_of_disk.
        """
        with TemporaryDirectory(prefix="goc-archive-") as folder:
            path = Path(folder) / "member"
            try:
                with self.zipped.open(name) as packed, path.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 2**20)
            except _BROKEN as error:
                raise corrupt(self.file, f"{name} in it: {error}") from error
            except OSError as error:
                size = self.members[name].file_size
                message = f"{self.file.name}: no room to unpack {name} of {size} bytes ({error.strerror})"
                raise JobFailed(JobErrorCode.OUT_OF_DISK, message) from error
            yield ModelFile(self.file.type, f"{self.file.name}/{name}", path, "")


@contextmanager
def open_archive(file: ModelFile) -> Iterator[Archive]:
    """Open a .zip whose members all are sound.

    Raises:
        JobFailed: asset_corrupt, it is no .zip; asset_incompatible, a member has a path, size or kind not allowed.
    """
    try:
        zipped = zipfile.ZipFile(file.path)
    except _BROKEN as error:
        raise corrupt(file, f"it is no .zip archive ({error})") from error
    with zipped:
        listed = zipped.infolist()
        if len(listed) > MAX_MEMBERS:
            raise incompatible(file, f"it has {len(listed)} members; allowed: {MAX_MEMBERS}")
        files: dict[str, zipfile.ZipInfo] = {}
        for member in listed:
            _check(file, member)
            if member.is_dir() or member.filename.startswith(IGNORED) or member.filename.endswith(IGNORED):
                continue
            if member.filename in files:
                raise incompatible(file, f"it has two members called {member.filename!r}")
            files[member.filename] = member
        size, limit = sum(member.file_size for member in listed), MAX_GROWTH * file.path.stat().st_size + SLACK
        if size > limit:
            raise incompatible(file, f"it unpacks to {size} bytes; allowed: {limit}, {MAX_GROWTH} times its size")
        yield Archive(file, files, zipped)


def _check(file: ModelFile, member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    parts = name.split("/")
    if not name or "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or ":" in parts[0]:
        raise incompatible(file, f"it has a member called {name!r}; allowed: paths inside the archive")
    if member.flag_bits & 0x1:
        raise incompatible(file, f"its member {name!r} is encrypted")
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        raise incompatible(file, f"its member {name!r} is a link")
    if member.compress_type not in METHODS:
        allowed = " or ".join(METHODS.values())
        raise incompatible(
            file, f"its member {name!r} is compressed by method {member.compress_type}; allowed: {allowed}"
        )

"""Reads members of an uploaded .zip by name, within bounds; the archive's paths never become paths on disk."""

import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.archive_contents import check_contents, member_text
from generate_on_cloud.model_files.archives import MAX_MEMBERS, open_zip, plain_members
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.member_bytes import BROKEN
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import corrupt, refusals_of


@dataclass(frozen=True)
class Archive:
    """The files in an open .zip by their paths."""

    file: ModelFile
    members: Mapping[str, zipfile.ZipInfo]
    zipped: zipfile.ZipFile

    def below(self, folder: str, suffix: str) -> Sequence[str]:
        """Sorted paths of the files directly in `folder` ("" is the root) whose names end with `suffix`."""
        place = PurePosixPath(folder)
        return sorted(
            name for name in self.members if PurePosixPath(name).parent == place and name.lower().endswith(suffix)
        )

    def text(self, name: str) -> str:
        """A member as UTF-8 text, without its byte order mark.

        Raises:
            JobFailed: asset_corrupt.
        """
        with refusals_of(self.file):
            return member_text(self.zipped, self.members[name])

    @contextmanager
    def unpacked(self, name: str) -> Iterator[ModelFile]:
        """Unpack a member into a temporary file, which is removed after the block.

        Raises:
            JobFailed: asset_corrupt, or out_of_disk.
        """
        with TemporaryDirectory(prefix="goc-archive-") as folder:
            path = Path(folder) / "member"
            try:
                with self.zipped.open(name) as packed, path.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 2**20)
            except BROKEN as error:
                raise corrupt(self.file, f"{name} in it: {error}") from error
            except OSError as error:
                size = self.members[name].file_size
                message = f"{self.file.name}: not enough disk space to unpack {name} of {size} bytes ({error.strerror})"
                raise JobFailed(JobErrorCode.OUT_OF_DISK, message) from error
            yield ModelFile(self.file.type, f"{self.file.name}/{name}", path, "")


@contextmanager
def open_archive(file: ModelFile, *, holding: AssetType | None = None) -> Iterator[Archive]:
    """Open a .zip after checking all its members; with `holding`, also what an asset of that type has in it.

    Raises:
        JobFailed: asset_corrupt if it is not a .zip; asset_incompatible if a member's path, size or kind is not
            allowed.
    """
    source = FileBytes(file.path)
    with refusals_of(file):
        zipped = open_zip(source, most_members=MAX_MEMBERS)
    with zipped:
        with refusals_of(file):
            members = plain_members(zipped, archive_bytes=source.size)
            if holding is not None:
                check_contents(zipped, members, holding)
        yield Archive(file, members, zipped)

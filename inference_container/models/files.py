"""Model files on the container's disk, and how a job finds its files by the names in its params."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from generate_on_cloud.contract.assets import AssetType, PredictionType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed


@dataclass(frozen=True)
class ModelFile:
    """An asset that was downloaded and whose hash was checked."""

    type: AssetType
    name: str
    """The file name as uploaded by the user; the name in `path` may differ."""
    path: Path
    sha256: str
    """Hash of the whole file in lower-case hex."""
    references: tuple[str, ...] = ()
    """Other names that the job's params use for it, besides `name` and `stem`."""
    prediction_type: PredictionType | None = None
    """What a checkpoint predicts, if its owner says so; it goes before what the file says."""

    @property
    def stem(self) -> str:
        """The name without its extension, as used in infotext and tags."""
        return self.name.rsplit(".", 1)[0]

    def is_called(self, name: str) -> bool:
        """Whether `name` means this file: one of its references, its name or its stem, in any case and Unicode form."""
        return _folded(name) in {_folded(known) for known in (self.name, self.stem, *self.references)}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@dataclass(frozen=True)
class JobFiles:
    """The files that one job was given."""

    files: Sequence[ModelFile] = ()

    def of(self, asset_type: AssetType) -> Iterator[ModelFile]:
        """The files of a type, in the order of the request."""
        return (file for file in self.files if file.type is asset_type)

    def named(self, asset_type: AssetType, name: str) -> ModelFile:
        """The file of this type that `name` means.

        Raises:
            JobFailed: asset_missing, if the job has no such file.
        """
        called = [file for file in self.of(asset_type) if file.is_called(name)]
        exact = [file for file in called if name in (file.name, file.stem, *file.references)]
        for file in (*exact, *called):
            return file
        given = ", ".join(file.name for file in self.of(asset_type)) or "none"
        raise JobFailed(JobErrorCode.ASSET_MISSING, f"received no {asset_type} called {name!r}; given: {given}")

    def chosen(self, asset_type: AssetType, name: str | None) -> ModelFile:
        """The file of this type that `name` means, or the first one if `name` is None.

        Raises:
            JobFailed: asset_missing, if the job has no such file.
        """
        if name is not None:
            return self.named(asset_type, name)
        for file in self.of(asset_type):
            return file
        raise JobFailed(JobErrorCode.ASSET_MISSING, f"received no {asset_type}; upload one and send the job again")

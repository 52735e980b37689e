"""Model files on the container's disk, and how a job finds its own by the words its params use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed


@dataclass(frozen=True)
class ModelFile:
    """An asset that was fetched and whose bytes were checked."""

    type: AssetType
    name: str
    """File name as the user uploaded it; `path` may be called otherwise."""
    path: Path
    sha256: str
    """Of the whole file, lower-case hex."""
    references: tuple[str, ...] = ()
    """How the job's params name it, where that is neither `name` nor `stem`."""

    @property
    def stem(self) -> str:
        """The name without its extension, as infotext and tags use it."""
        return self.name.rsplit(".", 1)[0]

    def is_called(self, name: str) -> bool:
        """Whether `name` means this file: a reference, the file name or its stem, in any case."""
        return name.casefold() in {known.casefold() for known in (self.name, self.stem, *self.references)}


@dataclass(frozen=True)
class JobFiles:
    """The files one job was given."""

    files: Sequence[ModelFile] = ()

    def of(self, asset_type: AssetType) -> Iterator[ModelFile]:
        """Those of a type, in the order of the request."""
        return (file for file in self.files if file.type is asset_type)

    def named(self, asset_type: AssetType, name: str) -> ModelFile:
        """The file of this type that `name` means.

        Raises:
            JobFailed: asset_missing, the request came without it.
        """
        for file in self.of(asset_type):
            if file.is_called(name):
                return file
        given = ", ".join(file.name for file in self.of(asset_type)) or "none"
        raise JobFailed(JobErrorCode.ASSET_MISSING, f"received no {asset_type} called {name!r}; given: {given}")

    def chosen(self, asset_type: AssetType, name: str | None) -> ModelFile:
        """The file of this type that `name` means; the first one when nothing is named.

        Raises:
            JobFailed: asset_missing, the request came without it.
        """
        if name is not None:
            return self.named(asset_type, name)
        for file in self.of(asset_type):
            return file
        raise JobFailed(JobErrorCode.ASSET_MISSING, f"received no {asset_type}; upload one and send the job again")

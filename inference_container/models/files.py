"""A model file on the container's disk."""

from dataclasses import dataclass
from pathlib import Path

from inference_container.contract.assets import AssetType


@dataclass(frozen=True)
class ModelFile:
    """An asset that was fetched and whose bytes were checked."""

    type: AssetType
    name: str
    """File name as the user uploaded it; `path` may be called otherwise."""
    path: Path
    sha256: str
    """Of the whole file, lower-case hex."""

    @property
    def stem(self) -> str:
        """The name without its extension, as infotext and tags use it."""
        return self.name.rsplit(".", 1)[0]

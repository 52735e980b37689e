"""The caller's model files as WebUI would name them, and which checkpoint a request means."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetStatus, AssetType
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.webui.prompt.styles import Style

NO_CHECKPOINT = 400
_NAMES_SHOWN = 20


@dataclass(frozen=True)
class Shelf:
    """The active files that the caller may use."""

    assets: tuple[AssetView, ...] = ()
    styles: Mapping[str, Style] = field(default_factory=dict)
    """Of the server's own file, by name."""

    @classmethod
    def of(cls, assets: Iterable[AssetView], styles: Mapping[str, Style] | None = None) -> "Shelf":
        """The files that jobs can use, by name."""
        active = (asset for asset in assets if asset.status is AssetStatus.ACTIVE)
        return cls(tuple(sorted(active, key=lambda asset: asset.name.casefold())), styles or {})

    def of_type(self, asset_type: AssetType) -> list[AssetView]:
        """The files of one type."""
        return [asset for asset in self.assets if asset.type is asset_type]

    def checkpoint(self, called: str) -> AssetView:
        """The checkpoint with this title, file name, stem, hash or id.

        Raises:
            RefusalError: there is none; the text lists those that exist.
        """
        found = next((one for one in self.of_type(AssetType.CHECKPOINT) if _is_called(one, called)), None)
        if found is None:
            raise RefusalError(NO_CHECKPOINT, f"model {called[:200]!r} not found; allowed: {self._checkpoints()}")
        return found

    def default_checkpoint(self, *, chosen: str | None, last: str | None) -> AssetView:
        """The checkpoint of a request that names none: the chosen one, else the one last used, else the only one.

        Raises:
            RefusalError: none of them exists; the text lists those that do.
        """
        if chosen:
            return self.checkpoint(chosen)
        all_of_them = self.of_type(AssetType.CHECKPOINT)
        used = [one for one in all_of_them if last and _is_called(one, last)]
        if used or len(all_of_them) == 1:
            return (used or all_of_them)[0]
        raise RefusalError(
            NO_CHECKPOINT,
            "Choose a checkpoint: the request names none and none was chosen before; "
            f"allowed in options or override_settings as sd_model_checkpoint: {self._checkpoints()}",
        )

    def _checkpoints(self) -> str:
        titles = [title(one) for one in self.of_type(AssetType.CHECKPOINT)]
        if not titles:
            return "none, because no checkpoint is uploaded yet (goc assets upload FILE --type checkpoint)"
        more = f" and {len(titles) - _NAMES_SHOWN} more" if len(titles) > _NAMES_SHOWN else ""
        return ", ".join(titles[:_NAMES_SHOWN]) + more


def stem(asset: AssetView) -> str:
    """The file's name without its extension."""
    return PurePosixPath(asset.name).stem


def title(asset: AssetView) -> str:
    """WebUI's title of a checkpoint, `name.safetensors [6ce0161689]`."""
    return f"{asset.name} [{short_hash(asset)}]" if short_hash(asset) else asset.name


def short_hash(asset: AssetView) -> str | None:
    """The ten digits that WebUI shows; None if the file has no hash yet."""
    return asset.hashes.short if asset.hashes else (asset.sha256 or "")[:10] or None


def path(asset: AssetView) -> str:
    """Where WebUI would keep the file, below its folder."""
    return f"/models/{ASSET_TYPES[asset.type].webui_folder}/{asset.name}"


def _is_called(asset: AssetView, called: str) -> bool:
    name = unicodedata.normalize("NFC", called).strip()
    known = {asset.asset_id, asset.name, stem(asset), title(asset), f"{stem(asset)} [{short_hash(asset)}]", path(asset)}
    hashes = {short_hash(asset), asset.sha256, (asset.sha256 or "")[:8]} - {None, ""}
    return name in known or name.rpartition("/")[2] in known or name.lower() in hashes

"""One row of the assets table: a model file, who may use it, and what inspection found."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from generate_on_cloud.contract.accounts import OF_TAG, OF_TYPE
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetStatus, AssetType, PredictionType
from generate_on_cloud.contract.messages import AssetRef
from lambdas.aws.rows import timestamp

_TITLE = re.compile(r"(?P<name>.+) \[(?P<hash>[0-9a-fA-F]{6,64})\]")
_HASH = re.compile(r"[0-9a-fA-F]{8,64}")
"""WebUI shows ten digits."""
_CALLED_VELOCITY = re.compile(r"(?<![a-z])v[-_ ]?pred(?![a-hj-z])", re.IGNORECASE)
"""`furry-vpred`, `Noob_V-Prediction`; not `improved`."""
_FOLDERS = re.compile(r"^(?!\.\.?[/\\]).*[/\\](?=.)", re.DOTALL)
TOO_LARGE = 4
"""How many times as many pixels as a checkpoint learned are worth a warning: more than both sides doubled."""
WORKING = frozenset({AssetStatus.UPLOADING, AssetStatus.IMPORTING, AssetStatus.INSPECTING})
"""Statuses that are not final."""


@dataclass(frozen=True)
class AssetFacts:
    """What inspection found; None or empty where the file does not say."""

    architecture: str | None = None
    network_kind: str | None = None
    rank: int | None = None
    trained_words: tuple[str, ...] = ()
    alias: str | None = None
    """Another name that prompts may use for a network."""
    lacks_vae: bool = False
    """Whether it is a checkpoint without a VAE."""
    prediction_type: PredictionType | None = None
    """What a checkpoint's own marks say it predicts."""
    native_size: tuple[int, int] | None = None
    """Width and height in pixels of the pictures that a checkpoint learned."""
    autov3: str | None = None
    """sha256 of everything after the safetensors header."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "AssetFacts":
        return cls(
            architecture=row.get("architecture"),
            network_kind=row.get("network_kind"),
            rank=int(row["rank"]) if "rank" in row else None,
            trained_words=tuple(row.get("trained_words", ())),
            alias=row.get("alias"),
            lacks_vae=bool(row.get("lacks_vae")),
            prediction_type=_prediction(row.get("marked_prediction")),
            native_size=_size(row.get("native_size")),
            autov3=row.get("autov3"),
        )

    def row(self) -> dict[str, object]:
        return {
            "architecture": self.architecture,
            "network_kind": self.network_kind,
            "rank": self.rank,
            "trained_words": list(self.trained_words) or None,
            "alias": self.alias,
            "lacks_vae": self.lacks_vae or None,
            "marked_prediction": self.prediction_type,
            "native_size": self.native_size and list(self.native_size),
            "autov3": self.autov3,
        }


@dataclass(frozen=True)
class AssetRecord:
    """One row as typed values."""

    asset_id: str
    owner: str
    type: AssetType
    name: str
    size: int
    """Bytes; 0 while the size of an import is unknown."""
    sha256: str | None
    """Declared until the asset is active, then computed."""
    key: str
    upload_id: str
    part_size: int
    status: AssetStatus
    created_at: datetime
    deleted_until: datetime | None = None
    """Until when a deleted asset can be restored."""
    error: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    """Users who may use it besides its owner; if this and `roles` are both empty, everyone may."""
    roles: tuple[str, ...] = ()
    trusted: bool = False
    """Whether somebody who may change all files uploaded or changed it; then it may act on everybody's jobs."""
    source: str | None = None
    """Host that an import comes from."""
    received: int = 0
    """Bytes that an import has stored."""
    paused: bool = False
    """Whether an import waits until it is resumed."""
    resumed_at: datetime | None = None
    """When an import was resumed, the last time."""
    checksum_algorithm: str | None = None
    """How storage checks each part of an upload; None: at most by MD5."""
    inspected_since: datetime | None = None
    inspections: int = 0
    """Number of inspection runs started."""
    lease_until: int | None = None
    """Epoch seconds until which an import's run is considered alive."""
    charged: int | None = None
    """Bytes it counts against its owner; None: it has failed, or is from an older release."""
    bytes_allowed: int | None = None
    """The owner's quota when the upload or import began: an import may learn its size later."""
    source_etag: str | None = None
    """The source's ETag for the file when the import began."""
    prediction_type: PredictionType | None = None
    """What a checkpoint predicts, if its owner says so."""
    picture: str | None = None
    """Key of its picture in storage."""
    facts: AssetFacts = field(default_factory=AssetFacts)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "AssetRecord":
        since, deleted_until = row.get("inspected_since"), row.get("deleted_until")
        return cls(
            asset_id=row["asset_id"],
            owner=row["owner"],
            type=AssetType(row["type"]),
            name=row["name"],
            size=int(row["size"]),
            sha256=row.get("sha256"),
            key=row["key"],
            upload_id=row["upload_id"],
            part_size=int(row["part_size"]),
            status=AssetStatus(row["status"]),
            created_at=datetime.fromisoformat(row["created_at"]),
            deleted_until=datetime.fromisoformat(deleted_until) if deleted_until else None,
            error=row.get("error"),
            description=row.get("description", ""),
            tags=tuple(row.get("tags", ())),
            users=tuple(row.get("users", ())),
            roles=tuple(row.get("roles", ())),
            trusted=bool(row.get("trusted")),
            source=row.get("source"),
            received=int(row.get("received", 0)),
            paused=bool(row.get("paused")),
            resumed_at=datetime.fromisoformat(row["resumed_at"]) if "resumed_at" in row else None,
            checksum_algorithm=row.get("checksum_algorithm"),
            inspected_since=datetime.fromisoformat(since) if since else None,
            inspections=int(row.get("inspections", 0)),
            lease_until=int(row["lease_until"]) if "lease_until" in row else None,
            charged=int(row["charged"]) if "charged" in row else None,
            bytes_allowed=int(row["bytes_allowed"]) if "bytes_allowed" in row else None,
            source_etag=row.get("source_etag"),
            prediction_type=_prediction(row.get("prediction_type")),
            picture=row.get("picture"),
            facts=AssetFacts.from_row(row),
        )

    def row(self) -> dict[str, object]:
        """All attributes, including those that only indexes read."""
        return {
            "asset_id": self.asset_id,
            "owner": self.owner,
            "type": self.type.value,
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "key": self.key,
            "upload_id": self.upload_id,
            "part_size": self.part_size,
            "status": self.status.value,
            "created_at": timestamp(self.created_at),
            "deleted_until": timestamp(self.deleted_until) if self.deleted_until else None,
            "error": self.error,
            "description": self.description or None,
            "tags": list(self.tags) or None,
            "users": list(self.users) or None,
            "roles": list(self.roles) or None,
            "trusted": self.trusted or None,
            "source": self.source,
            "received": self.received or None,
            "paused": self.paused or None,
            "resumed_at": timestamp(self.resumed_at) if self.resumed_at else None,
            "checksum_algorithm": self.checksum_algorithm,
            "inspected_since": timestamp(self.inspected_since) if self.inspected_since else None,
            "inspections": self.inspections or None,
            "charged": self.charged,
            "bytes_allowed": self.bytes_allowed,
            "prediction_type": self.prediction_type,
            "picture": self.picture,
            **self.facts.row(),
            "listed": "1",
            "type_name": f"{self.type}#{self.name}",
            "working": "1" if self.status in WORKING else None,
        }

    def recharged(self, charge: int | None) -> "AssetRecord":
        """The asset counting `charge` bytes; one that counts none (failed or of an older release) still counts none."""
        return self if self.charged is None else replace(self, charged=charge)

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return PurePosixPath(self.name).stem

    @property
    def guard_id(self) -> str:
        """Key of the row that prevents this type and name from being used twice."""
        return name_guard(self.type, self.name)

    def ref(self) -> AssetRef:
        """What the container needs to know about it."""
        return AssetRef(
            asset_id=self.asset_id,
            type=self.type,
            name=self.name,
            key=self.key,
            size=self.size,
            sha256=self.sha256,
            prediction_type=self.prediction_type,
        )

    def is_listed(self, listed: frozenset[str]) -> bool:
        """Whether a role's list of files has it. A VAE comes along with the checkpoint that it is called like."""
        names = {composed(self.name), composed(self.stem)}
        if self.type is AssetType.VAE and self.stem.endswith(".vae"):
            checkpoint = composed(self.stem.removesuffix(".vae"))
            names |= {checkpoint, *(f"{checkpoint}{one}" for one in ASSET_TYPES[AssetType.CHECKPOINT].extensions)}
        kinds = {f"{OF_TYPE}{self.type}", *(f"{OF_TAG}{composed(tag)}" for tag in self.tags)}
        return not listed.isdisjoint({self.asset_id, *names, *kinds})

    def is_called(self, reference: str) -> bool:
        """Whether `reference` means this asset: its id, file name, stem, or WebUI's title `name [hash]`.

        The hash of a title is compared only when the uploader declared one.
        """
        name, digest = split_title(reference)
        # ControlNet's titles contain another kind of hash.
        if self.sha256 is not None and self.type is not AssetType.CONTROLNET and not self.sha256.startswith(digest):
            return False
        return name in (self.asset_id, composed(self.name), composed(self.stem))

    def is_also_called(self, reference: str) -> bool:
        """Whether `reference` is a LoRA's alias, or a checkpoint's SHA-256 or the beginning of it."""
        if self.type is AssetType.LORA:
            return composed(reference) == composed(self.facts.alias or "")
        is_hash = self.type is AssetType.CHECKPOINT and _HASH.fullmatch(reference) is not None
        return is_hash and (self.sha256 or "").startswith(reference.lower())

    def is_named_by(self, reference: str) -> bool:
        """Whether `reference` means this asset in one of the ways above and below, not only as a part of its title."""
        return self.is_called(reference) or self.is_also_called(reference) or self.is_nearly_called(reference)

    def is_nearly_called(self, reference: str) -> bool:
        """Whether its name, stem, title or alias is `reference` but for upper and lower case and spaces around it."""
        name, digest = split_title(reference.strip())
        folded = name.strip().casefold()
        if self.sha256 is not None and self.type is not AssetType.CONTROLNET and not self.sha256.startswith(digest):
            return False
        alias = composed(self.facts.alias or "").casefold() if self.type is AssetType.LORA else ""
        if alias and composed(reference.strip()).casefold() == alias:
            return True
        return folded in (composed(self.name).casefold(), composed(self.stem).casefold())

    def has_in_its_title(self, reference: str) -> bool:
        """Whether WebUI would take `reference` for this file as a part of its title: of checkpoints and ControlNets.

        ControlNet compares in lower case, WebUI as it is written.
        """
        name, _ = split_title(reference)
        if self.type is AssetType.CONTROLNET:
            return bool(name) and name.casefold() in composed(self.stem).casefold()
        return self.type is AssetType.CHECKPOINT and bool(name) and name in composed(self.name)


def prediction_doubt(asset: AssetRecord) -> str | None:
    """What to tell who draws with a checkpoint that is called v-prediction while nothing else says so; None if all is
    clear."""
    known = asset.prediction_type or asset.facts.prediction_type
    if asset.type is not AssetType.CHECKPOINT or known is not None or not _CALLED_VELOCITY.search(asset.stem):
        return None
    return (
        f"{asset.name} is called v-prediction, but neither its owner nor its file says so; if its pictures "
        f"are wrong, set its prediction_type: PATCH /v1/assets/{asset.asset_id}"
    )


def size_doubt(asset: AssetRecord, *, width: int, height: int) -> str | None:
    """What to tell who draws far larger pictures than a checkpoint learned; None if it is not known to be so."""
    if asset.facts.native_size is None:
        return None
    native_width, native_height = asset.facts.native_size
    larger = width * height / (native_width * native_height)
    if larger <= TOO_LARGE:
        return None
    native = f"{native_width}x{native_height}"
    return (
        f"{asset.name} learned pictures of {native} pixels; at {width}x{height} each step takes {larger:.0f} times as "
        f"long and the pictures are worse; set width and height to about {native}"
    )


def _size(stored: list[int] | None) -> tuple[int, int] | None:
    return None if stored is None else (int(stored[0]), int(stored[1]))


def _prediction(stored: str | None) -> PredictionType | None:
    return None if stored is None else PredictionType(stored)


def name_guard(asset_type: AssetType, name: str) -> str:
    """Key of the row that reserves a name within a type."""
    return f"name#{asset_type}#{name}"


def split_title(reference: str) -> tuple[str, str]:
    """Name and hash prefix (lower case, may be empty) of a reference such as `folder/name.safetensors [6ce0161689]`.

    Names are composed (Unicode's NFC), as prompts are typed; macOS hands names over decomposed. Folders are left out:
    uploaded files have none.
    """
    match = _TITLE.fullmatch(reference)
    name, digest = (match["name"], match["hash"].lower()) if match else (reference, "")
    return _FOLDERS.sub("", composed(name)), digest


def composed(name: str) -> str:
    """The name in Unicode's normal form C, in which names are compared."""
    return unicodedata.normalize("NFC", name)

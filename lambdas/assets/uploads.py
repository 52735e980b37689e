"""Uploads of model files: they can be resumed, and are inspected once all bytes have arrived."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.asset_bodies import CompleteAsset, CompletedPart, CreateAsset, ResumeImport
from generate_on_cloud.contract.assets import AssetStatus
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.fetching.public_addresses import parse_target
from lambdas.access.caller import Caller
from lambdas.assets.declarations import check_declaration
from lambdas.assets.import_sources import ImportSources
from lambdas.assets.inspection import INSPECTION_LOST_AFTER
from lambdas.assets.record import AssetRecord
from lambdas.assets.store import AssetStore
from lambdas.assets.transitions import AssetTransitions
from lambdas.assets.upload_storage import UploadStorage, part_size_for
from lambdas.assets.work import AssetWork
from lambdas.aws.rows import new_id
from lambdas.problems import ProblemError, invalid, shortened

ABANDONED_AFTER = timedelta(hours=24)
"""After this, anyone may take the name of an unfinished upload."""


@dataclass(frozen=True)
class Uploads:
    transitions: AssetTransitions
    work: AssetWork
    storage: UploadStorage
    sources: ImportSources = field(default_factory=ImportSources)

    @property
    def assets(self) -> AssetStore:
        return self.transitions.store

    def begin(self, wanted: CreateAsset, *, owner: Caller, now: datetime) -> AssetRecord:
        """Start an upload or an import, or return the owner's own unfinished upload of the same bytes.

        The name of an unfinished asset can be taken over by its owner, or by anyone once it is ABANDONED_AFTER old;
        what was uploaded before is deleted.

        Raises:
            ProblemError: `invalid_params`, `asset_exists`, or `quota_exceeded`.
        """
        wanted = self.sources.located(wanted)
        asset_type = check_declaration(wanted)
        asset_id, name = new_id(), wanted.name or ""
        key = f"assets/{asset_id}/{name}"
        size = wanted.size or 0
        upload_id = self.storage.open(key, wanted.checksum_algorithm)
        asset = AssetRecord(
            asset_id=asset_id,
            owner=owner.user,
            type=asset_type,
            name=name,
            size=size,
            sha256=wanted.sha256,
            key=key,
            upload_id=upload_id,
            part_size=part_size_for(size),
            status=AssetStatus.IMPORTING if wanted.source_url else AssetStatus.UPLOADING,
            created_at=now,
            description=wanted.description,
            tags=tuple(dict.fromkeys(wanted.tags)),
            users=tuple(dict.fromkeys(wanted.users)),
            roles=tuple(dict.fromkeys(wanted.roles)),
            trusted=owner.may(Permission.ASSET_ALL),
            source=parse_target(wanted.source_url).host if wanted.source_url else None,
            checksum_algorithm=wanted.checksum_algorithm,
            charged=size,
            bytes_allowed=owner.quotas.asset_bytes,
            prediction_type=wanted.prediction_type,
        )
        try:
            if not self.transitions.add(asset):
                going_on = self._take_over(asset, now=now)
                if going_on is not None:
                    self.storage.abort(asset)
                    return going_on
            if wanted.source_url is not None:
                self._start_import(asset, wanted.source_url, wanted.bearer_token, now=now)
        except (ProblemError, ClientError, BotoCoreError):
            self.storage.abort(asset)
            raise
        return asset

    def pause(self, asset: AssetRecord) -> AssetRecord:
        """Stop an import; its parts stay.

        Raises:
            ProblemError: `asset_state_conflict` if it is not an import in progress.
        """
        paused = self.transitions.pause(asset) if asset.status is AssetStatus.IMPORTING else None
        if paused is None:
            raise _not_importing(self.assets.get(asset.asset_id) or asset, "paused")
        return paused

    def resume(self, asset: AssetRecord, said: ResumeImport, *, now: datetime) -> AssetRecord:
        """Resume a paused import after its last whole part; one that is not paused is returned as it is.

        Raises:
            ProblemError: `asset_state_conflict` if it is not an import in progress; `invalid_params`, another source.
        """
        if asset.status is not AssetStatus.IMPORTING:
            raise _not_importing(asset, "resumed")
        named = CreateAsset(
            type=asset.type, name=asset.name, source_url=said.source_url, bearer_token=said.bearer_token
        )
        url = self.sources.located(named).source_url or said.source_url
        if (host := parse_target(url).host) != asset.source:
            message = f"received a URL on {shortened(host)}; allowed: {asset.source}, where the import began"
            raise invalid([FieldError(pointer="/source_url", message=message)])
        resumed = self.transitions.resume(asset, now=now)
        if resumed is None:
            return self.assets.get(asset.asset_id) or asset
        try:
            self.work.fetch(asset.asset_id, url=url, token=said.bearer_token)
        except (ClientError, BotoCoreError):
            self.transitions.pause(resumed)
            raise
        return resumed

    def complete(self, asset: AssetRecord, said: CompleteAsset, *, now: datetime) -> AssetRecord:
        """Join the parts and have them inspected; an asset that is already further is returned as it is.

        Raises:
            ProblemError: `upload_incomplete` (parts are missing or wrong; the upload can resume), or `upload_mismatch`
                (the file is not what was declared: it is deleted, the asset is `failed`, its name is free), or
                `invalid_params`.
        """
        if asset.status is AssetStatus.UPLOADING:
            if said.sha256 is not None and asset.sha256 not in (None, said.sha256):
                message = f"received {said.sha256}; allowed: {asset.sha256}, as declared when the upload began"
                raise invalid([FieldError(pointer="/sha256", message=message)])
            asset = replace(asset, sha256=asset.sha256 or said.sha256)
            asset = self._inspecting(asset, said.parts, now=now)
            asset = self.work.start_inspection(asset)
        elif asset.status is AssetStatus.IMPORTING:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The service is importing this file itself; wait for it.")
        elif asset.status is AssetStatus.INSPECTING and _lost(asset, now=now):
            asset = self.work.restart_inspection(asset)
        if asset.status is AssetStatus.FAILED:
            message = f"The upload failed: {asset.error}. Start again with POST /v1/assets."
            raise ProblemError(ProblemCode.UPLOAD_MISMATCH, shortened(message, 1000))
        return asset

    def discard(self, asset: AssetRecord) -> None:
        """Delete the bytes and then the row of a failed asset; after a crash in between, the sweep does it."""
        self.storage.abort(asset)
        self.storage.delete(asset)
        self.transitions.remove(asset)

    def _inspecting(self, asset: AssetRecord, parts: Sequence[CompletedPart] | None, *, now: datetime) -> AssetRecord:
        self.storage.join(asset, parts)
        size = self.storage.size_of(asset)
        if size is None:
            raise ProblemError(
                ProblemCode.UPLOAD_INCOMPLETE, "The upload no longer exists. Start it again: POST /v1/assets."
            )
        if size != asset.size:
            reason = f"received {size} bytes; declared: {asset.size}"
            self.storage.delete(asset)
            self.transitions.fail(asset, reason, now=now, allowed=(AssetStatus.UPLOADING,))
            raise ProblemError(ProblemCode.UPLOAD_MISMATCH, f"The file is not what was declared: {reason}.")
        inspecting = self.transitions.mark_inspecting(asset, size=size, now=now)
        if inspecting is not None:
            return inspecting
        current = self.assets.get(asset.asset_id)
        if current is None or current.status is AssetStatus.FAILED:
            self.storage.delete(
                asset
            )  # taken over or deleted while the parts were joined: nothing refers to this object
        if current is None:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The upload was started again meanwhile.")
        return current

    def _start_import(self, asset: AssetRecord, url: str, token: str | None, *, now: datetime) -> None:
        try:
            self.work.fetch(asset.asset_id, url=url, token=token)
        except (ClientError, BotoCoreError):
            self.transitions.fail(asset, "the import could not be started", now=now)
            raise

    def _take_over(self, asset: AssetRecord, *, now: datetime) -> AssetRecord | None:
        """Reserve the name for this asset, or return the unfinished upload of the same bytes, which can be resumed."""
        holder = self.assets.holder_of_name(asset)
        if holder is None or holder.status not in (AssetStatus.UPLOADING, AssetStatus.IMPORTING):
            raise _exists(asset, holder)
        if holder.owner != asset.owner and now - holder.created_at < ABANDONED_AFTER:
            raise _exists(asset, holder)
        if _same_bytes(holder, asset) and self.storage.parts_of(holder) is not None:
            return holder
        if not self.transitions.take_over(holder, asset):
            raise _exists(asset, self.assets.holder_of_name(asset))
        self.discard(holder)
        return None


def _same_bytes(holder: AssetRecord, asset: AssetRecord) -> bool:
    both = (holder.status, asset.status)
    return (
        both == (AssetStatus.UPLOADING, AssetStatus.UPLOADING)
        and holder.owner == asset.owner
        # The checksums of the stored parts show the client which of them belong to another file.
        and (holder.sha256 is not None or holder.checksum_algorithm is not None)
        and (holder.sha256, holder.size) == (asset.sha256, asset.size)
        and holder.checksum_algorithm == asset.checksum_algorithm
    )


def _not_importing(asset: AssetRecord, what: str) -> ProblemError:
    message = f"{asset.name!r} is {asset.status}; only an import in progress can be {what}."
    return ProblemError(ProblemCode.ASSET_STATE_CONFLICT, message)


def _lost(asset: AssetRecord, *, now: datetime) -> bool:
    return asset.inspected_since is not None and now - asset.inspected_since > INSPECTION_LOST_AFTER


def _exists(asset: AssetRecord, holder: AssetRecord | None) -> ProblemError:
    # A user who may not use a restricted file only learns that the name is taken.
    told = holder is not None and (holder.owner == asset.owner or not (holder.users or holder.roles))
    state = f" ({holder.status}, {holder.asset_id})" if holder and told else ""
    return ProblemError(ProblemCode.ASSET_EXISTS, f"A {asset.type} named {asset.name!r} already exists{state}.")

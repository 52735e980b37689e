"""What can happen to an asset's row after its creation: one conditional write each, which says whether it succeeded."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from generate_on_cloud.contract.assets import AssetStatus
from lambdas.assets.charged_bytes import ROOM
from lambdas.assets.record import WORKING, AssetFacts, AssetRecord
from lambdas.assets.row_writes import AS_EXPECTED, RowWrites, requiring
from lambdas.assets.store import NAME_FREE
from lambdas.aws.rows import Condition, Delete, timestamp

FAILED_KEPT = timedelta(days=30)
"""How long the row of a failed asset stays to show the reason."""
_PAUSED = "paused"
"""The worker of a paused import."""
_DELETED = {"status": AssetStatus.FAILED.value, "working": "1"}
"""Marks a row whose bytes are being deleted: after a crash, the sweep continues the deletion."""


class AssetTransitions(RowWrites):
    """Each that changes the bytes of an asset also changes those of its owner, in one transaction."""

    def add(self, asset: AssetRecord) -> bool:
        """Add a new asset under a free name; False if another asset has the name.

        Raises:
            ProblemError: `quota_exceeded`.
        """
        counts = self._counted(asset)
        refused = self.store.write(self.store.take_name(asset), self.store.put_new(asset), *counts)
        if ROOM in refused and NAME_FREE not in refused:
            raise self._too_much(asset, asset.charged or 0)
        return not refused

    def take_over(self, old: AssetRecord, new: AssetRecord) -> bool:
        """Add a new asset that takes the name of an unfinished one; False if either changed meanwhile.

        The old one is `failed` afterwards; the sweep keeps track of it until `remove`.

        Raises:
            ProblemError: `quota_exceeded`.
        """
        given_back, more = old.charged or 0, new.charged or 0
        if old.owner == new.owner:  # a transaction can change a row only once
            more -= given_back
            counts = self.owned.change(new.owner, more, allowed=new.bytes_allowed)
        else:
            counts = [*self._counted(new), *self.owned.change(old.owner, -given_back)]
        ended = self._request(
            old, {**_DELETED, "error": "replaced by a newer upload", "charged": None}, allowed=(old.status,)
        )
        if old.charged is None:
            ended = requiring(ended, "attribute_not_exists(#charged)", {})
        else:
            ended = requiring(ended, "#charged = :counted", {":counted": old.charged})
        refused = self.store.write(self.store.pass_name(old, new), ended, self.store.put_new(new), *counts)
        if refused == {ROOM}:
            raise self._too_much(new, more)
        return not refused

    def mark_inspecting(self, asset: AssetRecord, *, size: int, now: datetime) -> AssetRecord | None:
        """`uploading | importing → inspecting` once all bytes have arrived; None if it is in neither status any more.

        The SHA-256 is taken from `asset`, because it may have been declared just now.

        Raises:
            ProblemError: `quota_exceeded`, by an import of unknown size.
        """
        allowed = (AssetStatus.UPLOADING, AssetStatus.IMPORTING)
        inspecting = asset.recharged(size)
        changed = replace(inspecting, status=AssetStatus.INSPECTING, size=size, inspected_since=now, inspections=1)
        values = {
            "status": changed.status.value,
            "size": size,
            "sha256": asset.sha256,
            "inspected_since": timestamp(now),
            "inspections": 1,
        }
        return changed if self._recharge(asset, values, allowed=allowed, charge=size) else None

    def count_inspection(self, asset: AssetRecord, *, now: datetime) -> AssetRecord | None:
        """Start another run of a lost inspection; None if it has finished, or another request started one."""
        changed = replace(asset, inspected_since=now, inspections=asset.inspections + 1)
        values = {"inspected_since": timestamp(now), "inspections": changed.inspections}
        request = self._request(asset, values, allowed=(AssetStatus.INSPECTING,))
        before = {":before": timestamp(asset.inspected_since or asset.created_at)}
        request = requiring(request, "(attribute_not_exists(#inspected_since) OR #inspected_since = :before)", before)
        return changed if self._sent(request) else None

    def activate(self, asset: AssetRecord, *, sha256: str, facts: AssetFacts) -> AssetRecord | None:
        """`inspecting → active` with what inspection found; None if it is not `inspecting` any more."""
        changed = replace(asset, status=AssetStatus.ACTIVE, sha256=sha256, facts=facts)
        values = {"status": changed.status.value, "sha256": sha256, "working": None, **facts.row()}
        return changed if self._update(asset, values, allowed=(AssetStatus.INSPECTING,)) else None

    def fail(
        self, asset: AssetRecord, reason: str, *, now: datetime, allowed: Collection[AssetStatus] = WORKING
    ) -> bool:
        """`→ failed`, which frees the name; False if the asset has none of the `allowed` statuses any more."""
        values = {
            "status": AssetStatus.FAILED.value,
            "error": reason,
            "working": None,
            "expires_at": int((now + FAILED_KEPT).timestamp()),
        }
        return self._recharge(asset, values, allowed=allowed, charge=None, also=self.store.release_name)

    def progress(self, asset: AssetRecord, *, received: int, worker: str, lease_until: int) -> AssetRecord | None:
        """Record an import's progress; None if the import does not belong to this worker any more.

        Raises:
            ProblemError: `quota_exceeded`; if the size is unknown, the bytes received so far are counted.
        """
        charge = asset.charged if asset.size else received
        written = self._recharge(
            asset,
            {"received": received, "lease_until": lease_until},
            allowed=(AssetStatus.IMPORTING,),
            charge=charge,
            condition=("worker = :worker", {":worker": worker}),
        )
        return replace(asset.recharged(charge), received=received) if written else None

    def note_source(self, asset: AssetRecord, *, size: int, etag: str | None) -> AssetRecord:
        """Record what the source of an import said at the beginning; `size` 0 if it did not say.

        Raises:
            ProblemError: `quota_exceeded`.
        """
        values = {"size": size, "source_etag": etag}
        charge = size or asset.charged
        self._recharge(asset, values, allowed=(AssetStatus.IMPORTING,), charge=charge)
        return replace(asset.recharged(charge), size=size, source_etag=etag)

    def retire(self, asset: AssetRecord) -> bool:
        """First step of a deletion: no job finds the asset any more, its name is free; the sweep keeps track of it."""
        values = {**_DELETED, "error": "deleted"}
        if asset.status is AssetStatus.FAILED:
            return self._update(asset, values, allowed=(AssetStatus.FAILED,))
        return self._recharge(asset, values, allowed=(asset.status,), charge=None, also=self.store.release_name)

    def set_aside(self, asset: AssetRecord, *, until: datetime) -> AssetRecord | None:
        """`active → deleted`, which frees its name and its owner's quota; None if it is not active any more."""
        changed = replace(asset, status=AssetStatus.DELETED, deleted_until=until, charged=None)
        values = {"status": changed.status.value, "working": "1", "deleted_until": timestamp(until)}
        was, freed = (AssetStatus.ACTIVE,), self.store.release_name
        written = self._recharge(asset, values, allowed=was, charge=None, also=freed)
        return changed if written else None

    def restore(self, asset: AssetRecord, *, allowed: int | None) -> AssetRecord | None:
        """`deleted → active` under its name; None if another asset has the name, or it is not deleted any more.

        `allowed`: the bytes that its owner may have.

        Raises:
            ProblemError: `quota_exceeded`.
        """
        changed = replace(
            asset, status=AssetStatus.ACTIVE, deleted_until=None, charged=asset.size, bytes_allowed=allowed
        )
        values = {"status": changed.status.value, "working": None, "deleted_until": None, "charged": asset.size}
        update = self._request(asset, values, allowed=(AssetStatus.DELETED,))
        refused = self.store.write(self.store.take_name(asset), update, *self._counted(changed))
        if refused == {ROOM}:
            raise self._too_much(changed, asset.size)
        return None if refused else changed

    def expire(self, asset: AssetRecord) -> bool:
        """First step of deleting the bytes of a `deleted` asset; False if it was restored."""
        values = {**_DELETED, "error": "deleted", "deleted_until": None}
        return self._update(asset, values, allowed=(AssetStatus.DELETED,))

    def claim(self, asset: AssetRecord, *, worker: str, before: str | None, now: int, lease_until: int) -> bool:
        """Claim an import for this worker; False while another one, except `before`, holds an unexpired lease."""
        request = self._request(asset, {"worker": worker, "lease_until": lease_until}, allowed=(AssetStatus.IMPORTING,))
        free = "(attribute_not_exists(worker) OR worker IN (:worker, :before) OR lease_until < :now)"
        request = requiring(request, free, {":before": before or worker, ":now": now})
        return self._sent(request)

    def pause(self, asset: AssetRecord) -> AssetRecord | None:
        """Take an import away from its run, which stops at its next part; None if it is not `importing` any more."""
        # No run has this name, and without a lease none can claim the import.
        values = {"paused": True, "worker": _PAUSED, "lease_until": None}
        written = self._update(asset, values, allowed=(AssetStatus.IMPORTING,))
        return replace(asset, paused=True, lease_until=None) if written else None

    def resume(self, asset: AssetRecord, *, now: datetime) -> AssetRecord | None:
        """Let a new run claim a paused import; None if it is not paused any more."""
        values = {"paused": None, "worker": None, "resumed_at": timestamp(now)}
        request = self._request(asset, values, allowed=(AssetStatus.IMPORTING,))
        resumed = self._sent(requiring(request, "attribute_exists(#paused)", {}))
        return replace(asset, paused=False, resumed_at=now) if resumed else None

    def change(self, asset: AssetRecord, changed: AssetRecord) -> bool:
        """Write the owner's changes; False if the new name is taken or the asset changed meanwhile."""
        row = changed.row()
        names = (
            "name",
            "type_name",
            "description",
            "tags",
            "users",
            "roles",
            "trusted",
            "prediction_type",
            "trained_words",
            "picture",
        )
        request = self._request(asset, {name: row[name] for name in names}, allowed=(asset.status,))
        if changed.name == asset.name:
            return self._sent(request)
        renamed = self.store.take_name(changed), self.store.release_name(asset)
        return not self.store.write(request, *renamed)

    def remove(self, asset: AssetRecord) -> None:
        """Last step of a deletion: delete the row of a `failed` asset."""
        self.store.write(
            Delete(
                table=self.store.table,
                key={"asset_id": asset.asset_id},
                values={":failed": AssetStatus.FAILED.value},
                condition=Condition(AS_EXPECTED, "#status = :failed"),
                names=["status"],
            )
        )

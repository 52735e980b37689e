"""Deletes an asset unless an open job uses it, at once or after some days in which it can be restored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from generate_on_cloud.contract.assets import AssetStatus
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import Caller
from lambdas.assets.record import AssetRecord
from lambdas.assets.uploads import Uploads
from lambdas.problems import ProblemError


@dataclass(frozen=True)
class AssetRemoval:
    uploads: Uploads
    user_of: Callable[[AssetRecord], str | None]
    """Says who still needs the asset; None if nothing does."""
    kept_days: int = 0
    """How long a deleted asset that was active can be restored; 0: its bytes are deleted at once."""

    def remove(self, asset: AssetRecord, *, now: datetime) -> AssetRecord:
        """Set an active asset aside for `kept_days`; or retire the row, delete the bytes, delete the row.

        After a crash in between, the sweep continues. Returns the asset as it was, or as it was set aside.

        A job sent between the check for users and the deletion of the bytes fails with `asset_missing`.

        Raises:
            ProblemError: `asset_in_use`, or `asset_not_active` if it changed meanwhile.
        """
        user = self.user_of(asset) if asset.status is AssetStatus.ACTIVE else None
        if user is not None:
            raise ProblemError(ProblemCode.ASSET_IN_USE, f"{asset.name!r} is used by {user}. Wait for it or cancel it.")
        if asset.status is AssetStatus.ACTIVE and self.kept_days > 0:
            aside = self.uploads.transitions.set_aside(asset, until=now + timedelta(days=self.kept_days))
            if aside is None:
                raise _changed(asset)
            return aside
        if not self.uploads.transitions.retire(asset):
            raise _changed(asset)
        self.uploads.discard(asset)
        return asset

    def restore(self, asset: AssetRecord, *, caller: Caller, now: datetime) -> AssetRecord:
        """Make a deleted asset active again, under its name; one that is not deleted stays as it is.

        Raises:
            ProblemError: `asset_exists`, another has its name; `quota_exceeded`, its owner has no room for it;
                `asset_not_found`, its days are over.
        """
        if asset.status is not AssetStatus.DELETED:
            return asset
        if asset.deleted_until is not None and asset.deleted_until <= now:
            raise _over(asset)
        own = asset.owner == caller.user
        restored = self.uploads.transitions.restore(
            asset, allowed=caller.quotas.asset_bytes if own else asset.bytes_allowed
        )
        if restored is not None:
            return restored
        current = self.uploads.assets.get(asset.asset_id)
        if current is not None and current.status is AssetStatus.ACTIVE:
            return current
        if current is None or current.status is not AssetStatus.DELETED:
            raise _over(asset)
        message = (
            f"A {asset.type} named {asset.name!r} exists by now. Rename it (PATCH /v1/assets/{{id}}) or delete it; "
            "then this one can be restored."
        )
        raise ProblemError(ProblemCode.ASSET_EXISTS, message)


def _changed(asset: AssetRecord) -> ProblemError:
    return ProblemError(ProblemCode.ASSET_NOT_ACTIVE, f"{asset.name!r} changed meanwhile; read it again and retry.")


def _over(asset: AssetRecord) -> ProblemError:
    detail = f"The time in which {asset.name!r} could be restored is over; its bytes are deleted."
    return ProblemError(ProblemCode.ASSET_NOT_FOUND, detail)

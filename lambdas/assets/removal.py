"""Deletes an asset with its bytes, unless a job that has not ended uses it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from generate_on_cloud.contract.assets import AssetStatus
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.assets.record import AssetRecord
from lambdas.assets.uploads import Uploads
from lambdas.problems import ProblemError


@dataclass(frozen=True)
class AssetRemoval:
    uploads: Uploads
    user_of: Callable[[AssetRecord], str | None]
    """Says who still needs the asset, None if nobody does."""

    def remove(self, asset: AssetRecord) -> AssetRecord:
        """Retire the row, delete the bytes, delete the row: whatever stops us in between, the sweep goes on from there.

        A job sent in the very moment between the look at who needs it and the deletion fails with `asset_missing`.

        Raises:
            ProblemError: `asset_in_use`, or `asset_not_active` when it changed meanwhile.
        """
        user = self.user_of(asset) if asset.status is AssetStatus.ACTIVE else None
        if user is not None:
            raise ProblemError(ProblemCode.ASSET_IN_USE, f"{asset.name!r} is used by {user}. Wait or cancel it.")
        if not self.uploads.transitions.retire(asset):
            raise ProblemError(ProblemCode.ASSET_NOT_ACTIVE, f"{asset.name!r} changed meanwhile; look at it again.")
        self.uploads.discard(asset)
        return replace(asset, status=AssetStatus.FAILED, error="deleted")

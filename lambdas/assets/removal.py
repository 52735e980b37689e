"""Deletes an asset with its bytes, unless an open job uses it."""

from collections.abc import Callable
from dataclasses import dataclass

from generate_on_cloud.contract.assets import AssetStatus
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.assets.record import AssetRecord
from lambdas.assets.uploads import Uploads
from lambdas.problems import ProblemError


@dataclass(frozen=True)
class AssetRemoval:
    uploads: Uploads
    user_of: Callable[[AssetRecord], str | None]
    """Says who still needs the asset; None if nothing does."""

    def remove(self, asset: AssetRecord) -> AssetRecord:
        """Retire the row, delete the bytes, delete the row; after a crash in between, the sweep continues.

        Returns the asset as it was.

        A job sent between the check for users and the deletion fails with `asset_missing`.

        Raises:
            ProblemError: `asset_in_use`, or `asset_not_active` if it changed meanwhile.
        """
        user = self.user_of(asset) if asset.status is AssetStatus.ACTIVE else None
        if user is not None:
            raise ProblemError(ProblemCode.ASSET_IN_USE, f"{asset.name!r} is used by {user}. Wait for it or cancel it.")
        if not self.uploads.transitions.retire(asset):
            raise ProblemError(
                ProblemCode.ASSET_NOT_ACTIVE, f"{asset.name!r} changed meanwhile; read it again and retry."
            )
        self.uploads.discard(asset)
        return asset

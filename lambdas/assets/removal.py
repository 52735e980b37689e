"""Deletes an asset with its bytes, unless a job that has not ended uses it."""

from dataclasses import dataclass, replace

from generate_on_cloud.contract.assets import AssetStatus, ResolvedModel
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.assets.record import AssetRecord
from lambdas.assets.uploads import Uploads
from lambdas.jobs.pages import JobPages
from lambdas.problems import ProblemError


@dataclass(frozen=True)
class AssetRemoval:
    uploads: Uploads
    pages: JobPages

    def remove(self, asset: AssetRecord) -> AssetRecord:
        """Retire the row, delete the bytes, delete the row: whatever stops us in between, the sweep goes on from there.

        Which jobs use it is told by the rows of all open jobs (two calls for each hundred). A job sent in the very
        moment between that look and the deletion fails with `asset_missing`.

        Raises:
            ProblemError: `asset_in_use`, or `asset_not_active` when it changed meanwhile.
        """
        if asset.status is AssetStatus.ACTIVE:
            for jobs in self.pages.open_jobs():
                for job in jobs:
                    if any(_is(asset, model) for model in job.models):
                        detail = (
                            f"{asset.name!r} is used by job {job.job_id}, which is {job.status}. Wait or cancel it."
                        )
                        raise ProblemError(ProblemCode.ASSET_IN_USE, detail)
        if not self.uploads.transitions.retire(asset):
            raise ProblemError(ProblemCode.ASSET_NOT_ACTIVE, f"{asset.name!r} changed meanwhile; look at it again.")
        self.uploads.discard(asset)
        self.uploads.transitions.remove(asset)
        return replace(asset, status=AssetStatus.FAILED, error="deleted")


def _is(asset: AssetRecord, model: ResolvedModel) -> bool:
    """By hash too: the asset may have been renamed since the job was sent."""
    return model.type is asset.type and (model.name == asset.name or model.sha256 == asset.sha256)

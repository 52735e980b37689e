"""Lambda: inspects one large asset and, every 15 minutes, finishes what was interrupted on its way to active."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from generate_on_cloud.contract.assets import AssetStatus
from lambdas.assembly.assets import Assets
from lambdas.assets.inspection import INSPECTION_LOST_AFTER, Inspection
from lambdas.assets.record import AssetRecord
from lambdas.assets.transitions import AssetTransitions
from lambdas.assets.upload_storage import UploadStorage
from lambdas.assets.work import InspectionOrder
from lambdas.aws.clients import aws_clients
from lambdas.aws.errors import NO_SUCH_UPLOAD, error_code
from lambdas.settings import AssetInspectionSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client

_LOG = logging.getLogger(__name__)

UPLOAD_LIFE = timedelta(days=7)
"""The bucket's lifecycle rule keeps the parts of an unfinished upload for as long."""
IMPORT_LIFE = timedelta(hours=24)
"""An import that takes longer will never end."""
LEAST_SECONDS, MOST_SECONDS = 60.0, 800.0
"""Seconds that must be left to start another inspection: of a small file, and of the largest."""
LEAST_BYTES_PER_SECOND = 40e6
"""Bytes per second that an inspection must read so that one run suffices for any file."""


@dataclass(frozen=True)
class AssetSweep:
    """Finishes what nothing else will: abandoned uploads, imports and inspections that died, deletions that are due."""

    transitions: AssetTransitions
    inspection: Inspection
    client: "S3Client"
    bucket: str
    now: Callable[[], datetime]

    @classmethod
    def of(cls, assembly: Assets[Any]) -> Self:
        bucket = assembly.settings.ASSETS_BUCKET
        return cls(assembly.asset_transitions, assembly.inspection, assembly.clients.s3, bucket, assembly.clock.now)

    def run(self, time_left: Callable[[], float]) -> None:
        """Look at all unfinished assets, oldest first."""
        now = self.now()
        for asset in self.transitions.store.working():
            if asset.status is AssetStatus.FAILED:  # a deletion that was interrupted
                self._erase(asset)
            elif asset.status is AssetStatus.DELETED:
                if asset.deleted_until is not None and asset.deleted_until <= now and self.transitions.expire(asset):
                    self._erase(asset)
                    _LOG.info("asset %s erased: the days in which it could be restored are over", asset.asset_id)
            elif asset.status is AssetStatus.INSPECTING:
                since = asset.inspected_since or asset.created_at
                if now - since > INSPECTION_LOST_AFTER and time_left() > _seconds_for(asset):
                    self.inspection.run_again(asset)
            elif asset.status is AssetStatus.UPLOADING and now - asset.created_at > UPLOAD_LIFE:
                self._give_up(asset, f"not completed within {UPLOAD_LIFE.days} days")
            elif asset.paused and now - asset.created_at > UPLOAD_LIFE:
                self._give_up(asset, f"paused, and not completed within {UPLOAD_LIFE.days} days")
            elif asset.status is AssetStatus.IMPORTING and self._is_orphan(asset, now):
                self._give_up(asset, "the import was interrupted; start it again")

    def _is_orphan(self, asset: AssetRecord, now: datetime) -> bool:
        if asset.paused:
            return False
        lease_over = asset.lease_until is not None and asset.lease_until < now.timestamp()
        return lease_over or now - (asset.resumed_at or asset.created_at) > IMPORT_LIFE

    def _give_up(self, asset: AssetRecord, reason: str) -> None:
        # The bytes first: if anything stops us then, the row is still found by the next run.
        self._abort(asset)
        if self.transitions.fail(asset, reason, now=self.now(), allowed=(asset.status,)):
            self.client.delete_object(Bucket=self.bucket, Key=asset.key)
            _LOG.info("asset %s given up: %s", asset.asset_id, reason)

    def _erase(self, asset: AssetRecord) -> None:
        """The bytes and the picture, and then the row."""
        self._abort(asset)
        UploadStorage(self.client, self.bucket).delete(asset)
        self.transitions.remove(asset)

    def _abort(self, asset: AssetRecord) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id)
        except ClientError as error:
            if error_code(error) != NO_SUCH_UPLOAD:
                raise


def _seconds_for(asset: AssetRecord) -> float:
    return min(MOST_SECONDS, max(LEAST_SECONDS, asset.size / LEAST_BYTES_PER_SECOND))


@cache
def _sweep() -> AssetSweep:
    return AssetSweep.of(Assets(aws_clients(), AssetInspectionSettings.from_environment()))


def handler(event: Mapping[str, Any], context: "LambdaContext") -> None:
    """Entry point for an `InspectionOrder`; the schedule sends an empty one."""
    sweep = _sweep()
    order = InspectionOrder.model_validate(event)
    if order.asset_id is None:
        sweep.run(lambda: context.get_remaining_time_in_millis() / 1000)
        return
    asset = sweep.transitions.store.get(order.asset_id)
    if asset is not None and asset.status is AssetStatus.INSPECTING:
        sweep.inspection.run(asset)

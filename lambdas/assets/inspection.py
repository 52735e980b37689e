"""An asset whose bytes have all arrived becomes active if they are what was declared, or fails with the reason."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.assets import AssetStatus
from generate_on_cloud.model_files.face_files import check_licence
from generate_on_cloud.model_files.facts import FileFacts, read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.ranges import CHUNK, ByteSource, S3Bytes, stream
from generate_on_cloud.model_files.refusals import RefusedFileError
from generate_on_cloud.model_files.texts import kept_reason
from lambdas.assets.record import AssetFacts, AssetRecord
from lambdas.assets.transitions import AssetTransitions
from lambdas.aws.errors import NO_SUCH_OBJECT, error_code
from lambdas.aws.rows import utc_now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG = logging.getLogger(__name__)

INSPECTION_LOST_AFTER = timedelta(minutes=20)
"""Longer than one run may take; after that, the inspection may be started again."""
INSPECTION_RUNS = 3
"""Number of runs after which an inspection that never finished has failed."""


@dataclass(frozen=True)
class Inspection:
    """Reads the file's structure first, which is cheap, then the whole file once for its hashes."""

    transitions: AssetTransitions
    client: "S3Client"
    bucket: str
    noncommercial: bool = False
    """Whether files for non-commercial use only are taken."""
    now: Callable[[], datetime] = utc_now

    def run(self, asset: AssetRecord) -> AssetRecord | None:
        """Inspect an `inspecting` asset; returns its new record, or None if it no longer exists. May run twice at once.

        A refused file's object is deleted first, so that a crash leaves no bytes without a row.
        """
        try:
            source = self._open(asset)
            facts = read_facts(source, name=asset.name, asset_type=asset.type)
            check_licence(facts.architecture, noncommercial=self.noncommercial)
            sha256, autov3 = _hashes(source, facts)
            if asset.sha256 is not None and sha256 != asset.sha256:
                raise RefusedFileError(f"its SHA-256 is {sha256}; declared: {asset.sha256}")
        except RefusedFileError as refused:
            _LOG.info("asset %s refused: %s", asset.asset_id, refused)
            return self._refuse(asset, str(refused))
        except (BotoCoreError, ClientError):
            raise  # storage answers again later; the file is not at fault
        except Exception as error:  # noqa: BLE001 - another run would come to the same end
            _LOG.exception("the inspection of asset %s failed", asset.asset_id)
            return self._refuse(asset, f"it cannot be inspected ({type(error).__name__}: {error})")
        found = AssetFacts(
            architecture=facts.architecture,
            network_kind=facts.network_kind,
            rank=facts.rank,
            trained_words=facts.trained_words,
            alias=facts.alias,
            lacks_vae=facts.lacks_vae,
            prediction_type=facts.prediction_type,
            native_size=facts.native_size,
            autov3=autov3,
        )
        active = self.transitions.activate(asset, sha256=sha256, facts=found)
        return active or self.transitions.store.get(asset.asset_id)

    def run_again(self, asset: AssetRecord) -> AssetRecord | None:
        """Inspect again after a run that did not finish; returns the new record, or None if it no longer exists.

        After INSPECTION_RUNS the file is refused, so that no asset is inspected forever.
        """
        begun = self.begin_again(asset)
        return self.run(begun) if begun is not None else self.transitions.store.get(asset.asset_id)

    def begin_again(self, asset: AssetRecord) -> AssetRecord | None:
        """Count another run; None if none is needed: the inspection finished, runs elsewhere, or has just failed."""
        now = self.now()
        if asset.inspections < INSPECTION_RUNS:
            return self.transitions.count_inspection(asset, now=now)
        reason = (
            f"its inspection did not finish in {asset.inspections} runs: storage is too slow for {asset.size} bytes"
        )
        _LOG.warning("asset %s given up: %s", asset.asset_id, reason)
        self._refuse(asset, reason)
        return None

    def _refuse(self, asset: AssetRecord, reason: str) -> AssetRecord | None:
        self.client.delete_object(Bucket=self.bucket, Key=asset.key)
        self.transitions.fail(asset, kept_reason(reason), now=self.now(), allowed=(AssetStatus.INSPECTING,))
        return self.transitions.store.get(asset.asset_id)

    def _open(self, asset: AssetRecord) -> ByteSource:
        try:
            if asset.size <= CHUNK:
                data = self.client.get_object(Bucket=self.bucket, Key=asset.key)["Body"].read()
                source: ByteSource = MemoryBytes(data)
            else:
                head = self.client.head_object(Bucket=self.bucket, Key=asset.key)
                source = S3Bytes(self.client, self.bucket, asset.key, head["ContentLength"], head["ETag"])
        except ClientError as error:
            if error_code(error) in NO_SUCH_OBJECT:
                raise RefusedFileError("its bytes no longer exist") from error
            raise
        if source.size != asset.size:
            raise RefusedFileError(f"received {source.size} bytes; declared: {asset.size}")
        return source


def _hashes(source: ByteSource, facts: FileFacts) -> tuple[str, str | None]:
    """sha256 of the file, and of everything after its safetensors header."""
    whole, after_header = hashlib.sha256(), hashlib.sha256()
    offset = 0
    for chunk in stream(source):
        whole.update(chunk)
        if facts.data_start is not None:
            after_header.update(memoryview(chunk)[max(0, facts.data_start - offset) :])
        offset += len(chunk)
    return whole.hexdigest(), after_header.hexdigest() if facts.data_start is not None else None

"""Lambda: fetches a model file from a URL in parts; if a file takes longer than one run, the next run resumes."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.assets import ASSET_TYPES, AssetStatus
from generate_on_cloud.fetching.model_sites import told_failure
from generate_on_cloud.fetching.public_addresses import FetchError
from generate_on_cloud.fetching.safe_fetch import Download, FetchLimits, SafeFetch
from lambdas.assembly.assets import Assets
from lambdas.assets.record import AssetRecord
from lambdas.assets.stored_parts import StoredPart, stored_parts
from lambdas.assets.transitions import AssetTransitions
from lambdas.assets.work import AssetWork, ImportOrder
from lambdas.aws.clients import aws_clients
from lambdas.aws.errors import BAD_PARTS, NO_SUCH_OBJECT, NO_SUCH_UPLOAD, error_code
from lambdas.aws.rows import utc_now
from lambdas.problems import ProblemError
from lambdas.settings import AssetImportSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_LOG = logging.getLogger(__name__)

LEASE_SECONDS = 300
"""A run that has not stored a part for this long is considered dead."""
LEAST_SECONDS = 90.0
"""Seconds that must be left to start another part."""
MOST_RUNS = 96
"""Runs of one import, each as long as a function may run, so a day: Lambda's own guard against loops is off."""
TRIES = 5
"""Consecutive failures, without a stored part between them, that fail an import."""
LEAST_BYTES_PER_SECOND = 256 * 1024
"""At this speed a part takes less than LEASE_SECONDS."""
_ENDING = 30.0
"""Seconds reserved for storing the current part."""
_NOTHING_THERE = 416
"""HTTP status for a range beyond the end."""


class ImportFailedError(Exception):
    """An import that cannot continue; the text is for its owner."""


class _NotOursError(Exception):
    """Another run has taken over the import, or it was paused or deleted: there is nothing left to do here."""


@dataclass(frozen=True)
class ImportRun:
    transitions: AssetTransitions
    work: AssetWork
    client: "S3Client"
    bucket: str
    fetch: SafeFetch = field(default_factory=SafeFetch)
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def run(self, order: ImportOrder, *, worker: str, time_left: Callable[[], float]) -> bool:
        """Fetch as much as time allows; True if another run must continue.

        The parts in storage are the only record of progress, so a run that dies only loses its current part.
        """
        asset = self.transitions.store.get(order.asset_id)
        if asset is None or asset.status is not AssetStatus.IMPORTING:
            return False
        now = int(self.now().timestamp())
        if not self.transitions.claim(
            asset, worker=worker, before=order.before, now=now, lease_until=now + LEASE_SECONDS
        ):
            return False
        try:
            return self._fetch(asset, order, worker=worker, time_left=time_left)
        except _NotOursError:
            _LOG.info("import of asset %s is paused, deleted or continues in another run", asset.asset_id)
        except ImportFailedError as failed:
            self._give_up(asset, str(failed))
        except ProblemError as refused:  # the owner's quota
            self._give_up(asset, refused.detail)
        return False

    def _fetch(self, asset: AssetRecord, order: ImportOrder, *, worker: str, time_left: Callable[[], float]) -> bool:
        failures = 0
        while True:
            asset = self._current(asset)
            parts = self._stored_parts(asset)
            if parts is None or _is_whole(asset, parts):
                break
            if time_left() < LEAST_SECONDS:
                if order.number >= MOST_RUNS:
                    raise ImportFailedError(f"its source did not give all of it in {MOST_RUNS} runs of 15 minutes")
                return True
            before = len(parts)
            try:
                if self._fetch_parts(asset, order, before, worker=worker, time_left=time_left):
                    break
            except FetchError as error:
                if before and error.status == _NOTHING_THERE:
                    break  # a file of unknown size ended exactly with its last part
                failures = failures + 1 if len(self._stored_parts(asset) or ()) == before else 1
                if not error.may_pass or failures >= TRIES:
                    raise ImportFailedError(told_failure(error)) from error
                self.sleep(min(2.0**failures, max(0.0, time_left() - LEAST_SECONDS)))
        self._complete(asset)
        return False

    def _fetch_parts(
        self, asset: AssetRecord, order: ImportOrder, stored: int, *, worker: str, time_left: Callable[[], float]
    ) -> bool:
        """Store parts from number `stored + 1` on; True at the end of the file, False when time is up."""
        offset = stored * asset.part_size
        limit = ASSET_TYPES[asset.type].max_bytes
        headers = {"Authorization": f"Bearer {order.token}"} if order.token else {}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        limits = FetchLimits(
            max_bytes=limit,
            total_seconds=max(1.0, time_left() - _ENDING),
            least_bytes_per_second=LEAST_BYTES_PER_SECOND,
        )
        with self.fetch.get(order.url, limits=limits, headers=headers) as download:
            asset, skipped = self._checked(asset, download, offset=offset, limit=limit)
            for number, data in enumerate(_parts(download, size=asset.part_size, skip=skipped), start=stored + 1):
                if (number - 1) * asset.part_size + len(data) > limit:
                    raise ImportFailedError(f"the file is larger than the {limit} bytes allowed for a {asset.type}")
                self._store(asset, number, data)
                received = (number - 1) * asset.part_size + len(data)
                lease = int(self.now().timestamp()) + LEASE_SECONDS
                told = self.transitions.progress(asset, received=received, worker=worker, lease_until=lease)
                if told is None:
                    raise _NotOursError
                asset = told
                if len(data) == asset.part_size and time_left() < LEAST_SECONDS:
                    return False
        return True

    def _store(self, asset: AssetRecord, number: int, data: bytes) -> None:
        try:
            self.client.upload_part(
                Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id, PartNumber=number, Body=data
            )
        except ClientError as error:
            if error_code(error) != NO_SUCH_UPLOAD:
                raise
            raise _NotOursError from error

    def _checked(self, asset: AssetRecord, download: Download, *, offset: int, limit: int) -> tuple[AssetRecord, int]:
        """Compare what the source says now with what it said before; returns the bytes to skip if all come again."""
        skipped = offset if download.status == 200 else 0
        if offset and download.status == 206:
            said = download.headers.get("content-range", "")
            if not said.startswith(f"bytes {offset}-"):
                raise ImportFailedError(f"asked for bytes from {offset} on, the source sent {said[:60]!r}")
        total = None if download.length is None else download.length + (0 if skipped else offset)
        if total is None and "chunked" not in download.headers.get("transfer-encoding", "").lower():
            raise ImportFailedError("the source does not say how long the file is")
        if total is not None and total > limit:
            raise ImportFailedError(f"the file has {total} bytes; allowed: {limit} for a {asset.type}")
        if asset.size and total is not None and total != asset.size:
            raise ImportFailedError(
                f"the source has {total} bytes; expected: {asset.size}, as declared or when the import began"
            )
        etag = download.headers.get("etag")
        if offset and asset.source_etag and etag != asset.source_etag:
            raise ImportFailedError("the file at the source changed during the import; start it again")
        if not offset:
            asset = self.transitions.note_source(asset, size=total or asset.size, etag=etag)
        return asset, skipped

    def _complete(self, asset: AssetRecord) -> None:
        asset = self._current(asset)
        parts = self._stored_parts(asset)
        if parts is not None:
            self._join(asset, parts)
        size = self._stored_size(asset)
        try:
            inspecting = self.transitions.mark_inspecting(asset, size=size, now=self.now())
        except ProblemError:  # the quota, because of a part that a lost run had not counted
            self.client.delete_object(Bucket=self.bucket, Key=asset.key)
            raise
        if inspecting is None:  # deleted or replaced meanwhile: nothing refers to this object
            self.client.delete_object(Bucket=self.bucket, Key=asset.key)
            return
        self.work.start_inspection(inspecting)

    def _join(self, asset: AssetRecord, parts: Sequence[StoredPart]) -> None:
        size = sum(part.size for part in parts)
        if size == 0:
            raise ImportFailedError("the file at the source is empty")
        if asset.size and size != asset.size:
            raise ImportFailedError(f"received {size} bytes; declared: {asset.size}")
        joined: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": part.etag} for number, part in enumerate(parts, start=1)
        ]
        try:
            self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id, MultipartUpload={"Parts": joined}
            )
        except ClientError as error:
            if error_code(error) not in BAD_PARTS:
                raise
            raise ImportFailedError("S3 refused the parts; start the import again") from error

    def _current(self, asset: AssetRecord) -> AssetRecord:
        current = self.transitions.store.get(asset.asset_id)
        if current is None or current.status is not AssetStatus.IMPORTING or current.paused:
            raise _NotOursError
        return current

    def _stored_parts(self, asset: AssetRecord) -> Sequence[StoredPart] | None:
        """The stored parts up to the first missing one; None if they were joined or aborted."""
        found = stored_parts(self.client, self.bucket, asset)
        return None if found is None else [found[n] for n in takewhile(found.__contains__, count(1))]

    def _stored_size(self, asset: AssetRecord) -> int:
        try:
            return self.client.head_object(Bucket=self.bucket, Key=asset.key)["ContentLength"]
        except ClientError as error:
            if error_code(error) not in NO_SUCH_OBJECT:
                raise
            raise ImportFailedError("the part fetched so far no longer exists; start the import again") from error

    def _give_up(self, asset: AssetRecord, reason: str) -> None:
        _LOG.info("import of asset %s failed: %s", asset.asset_id, reason)
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id)
        except ClientError as error:
            if error_code(error) != NO_SUCH_UPLOAD:
                raise
        self.transitions.fail(asset, reason, now=self.now(), allowed=(AssetStatus.IMPORTING,))


def _is_whole(asset: AssetRecord, parts: Sequence[StoredPart]) -> bool:
    """Whether the last part is stored: it alone is shorter, unless the size is known and reached."""
    if not parts:
        return False
    return parts[-1].size < asset.part_size or (asset.size > 0 and sum(part.size for part in parts) >= asset.size)


def _parts(download: Download, *, size: int, skip: int) -> Iterator[bytes]:
    """The body in pieces of `size` bytes (the last one shorter), without its first `skip` bytes."""
    gathered = bytearray()
    for chunk in download.chunks:
        gathered += chunk[skip:]
        skip = max(0, skip - len(chunk))
        while len(gathered) >= size:
            yield bytes(memoryview(gathered)[:size])
            del gathered[:size]
    if gathered:
        yield bytes(gathered)


@cache
def _import_run(import_function: str) -> ImportRun:
    assembly = Assets(aws_clients(), AssetImportSettings.from_environment())
    work = AssetWork(
        inspection=assembly.inspection,
        client=assembly.clients.functions,
        inspection_function=assembly.settings.INSPECTION_FUNCTION,
        import_function=import_function,
    )
    clock = assembly.clock
    return ImportRun(
        assembly.asset_transitions,
        work,
        assembly.clients.s3,
        assembly.settings.ASSETS_BUCKET,
        now=clock.now,
        sleep=clock.sleep,
    )


def handler(event: Mapping[str, Any], context: "LambdaContext") -> None:
    """Entry point for an `ImportOrder`. The event contains a token and must never be logged."""
    order = ImportOrder.model_validate(event)
    run = _import_run(context.function_name)
    # AWS repeats a failed invocation with the same request id, so it continues under its own lease.
    worker = context.aws_request_id
    if run.run(order, worker=worker, time_left=lambda: context.get_remaining_time_in_millis() / 1000):
        run.work.fetch_on(order, before=worker)

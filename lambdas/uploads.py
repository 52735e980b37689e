"""Uploads of model files: a multipart upload that becomes an active asset, or frees its name when it was not right."""

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from inference_container.contract.api import CompletedPart, CreateAsset, UploadPart, UploadView
from inference_container.contract.assets import ASSET_TYPES, AssetStatus, AssetType, asset_type_named
from inference_container.contract.errors import FieldError, ProblemCode
from lambdas.assets import AssetRecord, AssetStore
from lambdas.aws_errors import BAD_PARTS, NO_SUCH_OBJECT, NO_SUCH_UPLOAD, error_code, error_message
from lambdas.items import new_id
from lambdas.problems import ProblemError, invalid, shortened

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG = logging.getLogger(__name__)

MIB = 1024**2
PART_SIZE = 64 * MIB
MAX_PARTS = 10_000
URL_LIFE = timedelta(hours=12)
ABANDONED_AFTER = timedelta(hours=24)
"""Then anybody may take the name of an upload that never ended."""


@dataclass(frozen=True)
class Uploads:
    assets: AssetStore
    client: "S3Client"
    bucket: str

    def begin(self, wanted: CreateAsset, *, owner: str, now: datetime) -> AssetRecord:
        """Start an upload under a new asset id; two calls.

        A name still `uploading` is taken over by its own owner, or by anybody once it is ABANDONED_AFTER old: the
        old upload is thrown away.

        Raises:
            ProblemError: `invalid_params`, or `asset_exists`.
        """
        asset_type = _checked_type(wanted)
        asset_id = new_id()
        key = f"assets/{asset_id}/{wanted.name}"
        upload_id = self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        asset = AssetRecord(
            asset_id=asset_id,
            owner=owner,
            type=asset_type,
            name=wanted.name,
            size=wanted.size,
            sha256=wanted.sha256,
            key=key,
            upload_id=upload_id,
            part_size=part_size_for(wanted.size),
            status=AssetStatus.UPLOADING,
            created_at=now,
        )
        try:
            if not self.assets.add(asset):
                self._take_over(asset, now=now)
        except (ProblemError, ClientError, BotoCoreError):
            self._abort(asset)
            raise
        return asset

    def view(self, asset: AssetRecord, *, now: datetime) -> UploadView:
        """Presigned URLs of all parts."""
        seconds = int(URL_LIFE.total_seconds())
        parts = []
        for number, offset in enumerate(range(0, asset.size, asset.part_size), start=1):
            place = {"Bucket": self.bucket, "Key": asset.key, "UploadId": asset.upload_id, "PartNumber": number}
            url = self.client.generate_presigned_url("upload_part", Params=place, ExpiresIn=seconds)
            size = min(asset.part_size, asset.size - offset)
            parts.append(UploadPart(part_number=number, offset=offset, size=size, url=url))
        return UploadView(part_size=asset.part_size, parts=parts, expires_at=now + URL_LIFE)

    def complete(self, asset: AssetRecord, parts: Sequence[CompletedPart]) -> AssetRecord:
        """Put the parts together and check the size; an asset that is active already is answered as it is.

        Raises:
            ProblemError: `upload_incomplete` (parts are missing or wrong: the upload can go on), or `upload_mismatch`
                (the file is not what was declared: it is deleted, the asset is `failed`, its name free).
        """
        if asset.status is AssetStatus.ACTIVE:
            return asset
        if asset.status is AssetStatus.FAILED:
            raise ProblemError(ProblemCode.UPLOAD_MISMATCH, f"The upload has failed: {asset.error}. Start it again.")
        _check_parts(asset, parts)
        self._join(asset, parts)
        size = self._stored_size(asset)
        if size is None:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The upload is gone. Start it again: POST /v1/assets.")
        if size != asset.size:
            reason = f"received {size} bytes, declared were {asset.size}"
            if self.assets.fail(asset, reason):
                self.client.delete_object(Bucket=self.bucket, Key=asset.key)
            raise ProblemError(ProblemCode.UPLOAD_MISMATCH, f"The file is not what was declared: {reason}.")
        active = self.assets.activate(asset) or self.assets.get(asset.asset_id)
        if active is None or active.status is not AssetStatus.ACTIVE:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The upload was started again meanwhile.")
        return active

    def _take_over(self, asset: AssetRecord, *, now: datetime) -> None:
        holder = self.assets.holder_of_name(asset)
        if holder is None or holder.status is not AssetStatus.UPLOADING:
            raise _exists(asset, holder)
        if holder.owner != asset.owner and now - holder.created_at < ABANDONED_AFTER:
            raise _exists(asset, holder)
        if not self.assets.replace_upload(holder, asset):
            raise _exists(asset, self.assets.holder_of_name(asset))
        self._abort(holder)

    def _abort(self, asset: AssetRecord) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id)
        except (ClientError, BotoCoreError):
            # The bucket's lifecycle rule removes unfinished uploads; the user's answer does not depend on it.
            _LOG.exception("upload of asset %s not aborted", asset.asset_id)

    def _join(self, asset: AssetRecord, parts: Sequence[CompletedPart]) -> None:
        ordered = sorted(parts, key=lambda part: part.part_number)
        try:
            self.client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=asset.key,
                UploadId=asset.upload_id,
                MultipartUpload={"Parts": [{"PartNumber": part.part_number, "ETag": part.etag} for part in ordered]},
            )
        except ClientError as error:
            if error_code(error) in BAD_PARTS:
                detail = f"S3 does not accept the parts ({error_code(error)}: {error_message(error)})."
                raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, shortened(detail)) from error
            if error_code(error) != NO_SUCH_UPLOAD:
                raise
            # Joined before, by a request that did not get to say so in the table: the object tells.

    def _stored_size(self, asset: AssetRecord) -> int | None:
        try:
            return self.client.head_object(Bucket=self.bucket, Key=asset.key)["ContentLength"]
        except ClientError as error:
            if error_code(error) in NO_SUCH_OBJECT:
                return None
            raise


def part_size_for(size: int) -> int:
    """Bytes of each part but the last: PART_SIZE, or whole MiB more when S3's MAX_PARTS would not hold the file."""
    least = -(-size // MAX_PARTS)
    return max(PART_SIZE, -(-least // MIB) * MIB)


def _checked_type(wanted: CreateAsset) -> AssetType:
    errors = []
    asset_type = asset_type_named(wanted.type)
    if asset_type is None:
        names = ", ".join(f"{kind} ({rule.webui_folder})" for kind, rule in ASSET_TYPES.items())
        errors.append(_error("/type", f"received {shortened(wanted.type)!r}; allowed: {names}"))
    elif wanted.size > ASSET_TYPES[asset_type].max_bytes:
        limit = ASSET_TYPES[asset_type].max_bytes
        errors.append(_error("/size", f"received {wanted.size}; allowed: up to {limit} bytes for a {asset_type}"))
    if (reason := _reason_against_name(wanted.name, asset_type)) is not None:
        errors.append(_error("/name", f"received {wanted.name!r}; {reason}"))
    if errors or asset_type is None:
        raise invalid(errors)
    return asset_type


def _reason_against_name(name: str, asset_type: AssetType | None) -> str | None:
    if "/" in name or "\\" in name:
        return "allowed: a file name without folders"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in name):
        return "allowed: no control or invisible characters"
    if name != name.strip() or name.startswith("."):
        return "allowed: no blank at either end and no dot at the start"
    if asset_type is not None and PurePosixPath(name).suffix not in ASSET_TYPES[asset_type].extensions:
        return f"allowed for a {asset_type}: names ending in {', '.join(ASSET_TYPES[asset_type].extensions)}"
    return None


def _check_parts(asset: AssetRecord, parts: Sequence[CompletedPart]) -> None:
    expected = set(range(1, -(-asset.size // asset.part_size) + 1))
    numbers = [part.part_number for part in parts]
    unknown = sorted(set(numbers) - expected)
    if unknown or len(set(numbers)) != len(numbers):
        odd = unknown[0] if unknown else next(number for number in numbers if numbers.count(number) > 1)
        raise invalid([_error("/parts", f"received part {odd}; allowed: each of 1 to {len(expected)} once")])
    missing = sorted(expected - set(numbers))
    if missing:
        listed = ", ".join(map(str, missing[:10]))
        message = f"{len(missing)} of {len(expected)} parts are missing: {listed}"
        raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, message, errors=[_error("/parts", message)])


def _error(pointer: str, message: str) -> FieldError:
    return FieldError(pointer=pointer, message=message)


def _exists(asset: AssetRecord, holder: AssetRecord | None) -> ProblemError:
    state = f", {holder.status} as {holder.asset_id}" if holder else ""
    return ProblemError(ProblemCode.ASSET_EXISTS, f"There is a {asset.type} named {asset.name!r}{state}.")

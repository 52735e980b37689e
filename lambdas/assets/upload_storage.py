"""An upload as storage has it: its parts, signed, checked and joined into the file."""

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.asset_bodies import (
    CompletedPart,
    PartChecksum,
    SignedPart,
    SignedParts,
    UploadPart,
    UploadView,
)
from generate_on_cloud.contract.assets import AssetStatus
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.assets.record import AssetRecord
from lambdas.assets.stored_parts import StoredPart, stored_parts
from lambdas.aws.errors import BAD_PARTS, NO_SUCH_OBJECT, NO_SUCH_UPLOAD, error_code, error_message
from lambdas.aws.url_life import url_life
from lambdas.problems import ProblemError, invalid, shortened

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_LOG = logging.getLogger(__name__)

MIB = 1024**2
PART_SIZE = 64 * MIB
MAX_PARTS = 10_000
CHECKSUM_HEADER = "x-amz-checksum-sha256"


@dataclass(frozen=True)
class UploadStorage:
    client: "S3Client"
    bucket: str

    def open(self, key: str, algorithm: Literal["SHA256"] | None) -> str:
        """Create a multipart upload; returns its id."""
        if algorithm is None:
            return self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        opened = self.client.create_multipart_upload(Bucket=self.bucket, Key=key, ChecksumAlgorithm=algorithm)
        return opened["UploadId"]

    def parts_of(self, asset: AssetRecord) -> Mapping[int, StoredPart] | None:
        """By number; None if they have been joined or deleted. One call per thousand."""
        return stored_parts(self.client, self.bucket, asset)

    def view(self, asset: AssetRecord, *, is_new: bool, now: datetime) -> UploadView:
        """All parts: which ones storage has, and presigned URLs for the others; one call, none for a new upload."""
        received = {} if is_new else self.parts_of(asset) or {}
        life = url_life(self.client, now=now)
        parts = []
        for number, size in _sizes(asset).items():
            there = number in received and received[number].size == size
            url = None
            if not there and asset.checksum_algorithm is None:
                place = self._place(asset, number) | {"ContentLength": size}
                url = self.client.generate_presigned_url(
                    "upload_part", Params=place, ExpiresIn=int(life.total_seconds())
                )
            offset = (number - 1) * asset.part_size
            sha256 = received[number].sha256 if there else None
            parts.append(
                UploadPart(part_number=number, offset=offset, size=size, url=url, received=there, sha256=sha256)
            )
        expires_at, algorithm = now + life, asset.checksum_algorithm
        return UploadView(part_size=asset.part_size, parts=parts, expires_at=expires_at, checksum_algorithm=algorithm)

    def sign(self, asset: AssetRecord, wanted: Sequence[PartChecksum], *, now: datetime) -> SignedParts:
        """URLs that accept only parts with these checksums; no AWS call.

        Raises:
            ProblemError: `upload_incomplete` (the upload takes no parts any more), or `invalid_params`.
        """
        if asset.status is not AssetStatus.UPLOADING:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, f"{asset.name!r} is {asset.status} and takes no parts.")
        if asset.checksum_algorithm is None:
            message = "received checksums; allowed: only for an upload that was started with a checksum_algorithm"
            raise invalid([_error("/parts", message)])
        expected = _sizes(asset)
        _refuse_odd([part.part_number for part in wanted], of=len(expected))
        signed, life = [], url_life(self.client, now=now)
        for part in wanted:
            checksum = base64.b64encode(bytes.fromhex(part.sha256)).decode()
            url = self.client.generate_presigned_url(
                "upload_part",
                Params=self._place(asset, part.part_number)
                | {"ChecksumSHA256": checksum, "ContentLength": expected[part.part_number]},
                ExpiresIn=int(life.total_seconds()),
            )
            signed.append(SignedPart(part_number=part.part_number, url=url, headers={CHECKSUM_HEADER: checksum}))
        return SignedParts(parts=signed, expires_at=now + life)

    def join(self, asset: AssetRecord, said: Sequence[CompletedPart] | None) -> None:
        """Join the stored or the named parts; does nothing if there are none any more.

        Raises:
            ProblemError: `upload_incomplete` (parts are missing or wrong; the upload can resume), or `invalid_params`.
        """
        parts = self._received(asset) if said is None else self._declared(asset, said)
        if parts is not None:
            self._join(asset, parts)

    def size_of(self, asset: AssetRecord) -> int | None:
        """Bytes of the whole file; None if it does not exist (yet or any more)."""
        try:
            return self.client.head_object(Bucket=self.bucket, Key=asset.key)["ContentLength"]
        except ClientError as error:
            if error_code(error) in NO_SUCH_OBJECT:
                return None
            raise

    def delete(self, asset: AssetRecord) -> None:
        """Delete the whole file and its picture, if they exist."""
        self.client.delete_object(Bucket=self.bucket, Key=asset.key)
        if asset.picture is not None:
            self.client.delete_object(Bucket=self.bucket, Key=asset.picture)

    def abort(self, asset: AssetRecord) -> None:
        """Delete the parts; a failure is only logged."""
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id)
        except ClientError as error:
            if error_code(error) != NO_SUCH_UPLOAD:
                # The bucket's lifecycle rule removes unfinished uploads, so the user's answer does not depend on it.
                _LOG.exception("upload of asset %s not aborted", asset.asset_id)
        except BotoCoreError:
            _LOG.exception("upload of asset %s not aborted", asset.asset_id)

    def _place(self, asset: AssetRecord, number: int) -> dict[str, str | int]:
        return {"Bucket": self.bucket, "Key": asset.key, "UploadId": asset.upload_id, "PartNumber": number}

    def _declared(self, asset: AssetRecord, parts: Sequence[CompletedPart]) -> Mapping[int, StoredPart] | None:
        """All parts with the caller's ETags; None if they have already been joined or deleted."""
        expected = _sizes(asset)
        numbers = [part.part_number for part in parts]
        _refuse_odd(numbers, of=len(expected))
        _refuse_missing(sorted(expected.keys() - set(numbers)), [], of=len(expected))
        # S3 wants the checksums of all parts if there are any, and only S3 knows them all.
        stored = self.parts_of(asset) if asset.checksum_algorithm else {}
        if stored is None:
            return None
        checksums = {number: part.checksum for number, part in stored.items()}
        return {
            part.part_number: StoredPart(part.etag, expected[part.part_number], checksums.get(part.part_number))
            for part in parts
        }

    def _received(self, asset: AssetRecord) -> Mapping[int, StoredPart] | None:
        """All parts as storage has them; None if they have already been joined or deleted."""
        received = self.parts_of(asset)
        if received is None:
            return None
        expected = _sizes(asset)
        missing = [number for number, size in expected.items() if number not in received]
        wrong = [number for number, size in expected.items() if number in received and received[number].size != size]
        _refuse_missing(missing, wrong, of=len(expected))
        return {number: received[number] for number in expected}

    def _join(self, asset: AssetRecord, parts: Mapping[int, StoredPart]) -> None:
        listed: list[CompletedPartTypeDef] = []
        for number, part in sorted(parts.items()):
            checked: CompletedPartTypeDef = {"ChecksumSHA256": part.checksum} if part.checksum else {}
            listed.append({"PartNumber": number, "ETag": part.etag, **checked})
        try:
            self.client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=asset.key,
                UploadId=asset.upload_id,
                MultipartUpload={"Parts": listed},
            )
        except ClientError as error:
            if error_code(error) in BAD_PARTS:
                detail = f"S3 refused the parts ({error_code(error)}: {error_message(error)})."
                raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, shortened(detail)) from error
            if error_code(error) != NO_SUCH_UPLOAD:
                raise
            # Joined earlier, by a request that could not record it in the table: the object shows it.


def part_size_for(size: int) -> int:
    """Size of each part except the last: PART_SIZE, or more whole MiB if S3's MAX_PARTS would not hold the file."""
    least = -(-size // MAX_PARTS)
    return max(PART_SIZE, -(-least // MIB) * MIB)


def _sizes(asset: AssetRecord) -> dict[int, int]:
    """Size of each part by its number."""
    offsets = range(0, asset.size, asset.part_size)
    return {number: min(asset.part_size, asset.size - offset) for number, offset in enumerate(offsets, start=1)}


def _refuse_odd(numbers: Sequence[int], *, of: int) -> None:
    unknown = sorted(number for number in set(numbers) if number > of)
    if unknown or len(set(numbers)) != len(numbers):
        odd = unknown[0] if unknown else next(number for number in numbers if numbers.count(number) > 1)
        raise invalid([_error("/parts", f"received part {odd}; allowed: each number from 1 to {of} once")])


def _refuse_missing(missing: Sequence[int], wrong: Sequence[int], *, of: int) -> None:
    messages = [
        f"{len(numbers)} of {of} parts {what}: {', '.join(map(str, numbers[:10]))}"
        for numbers, what in ((missing, "are missing"), (wrong, "have the wrong size"))
        if numbers
    ]
    if messages:
        message = "; ".join(messages)
        raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, message, errors=[_error("/parts", message)])


def _error(pointer: str, message: str) -> FieldError:
    return FieldError(pointer=pointer, message=message)

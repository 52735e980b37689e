"""Uploads of model files: they go on where they stopped, and are inspected once all bytes are there."""

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from inference_container.contract.access import Quotas
from inference_container.contract.asset_bodies import (
    CompleteAsset,
    CompletedPart,
    CreateAsset,
    PartChecksum,
    SignedPart,
    SignedParts,
    UploadPart,
    UploadView,
)
from inference_container.contract.assets import AssetStatus
from inference_container.contract.errors import FieldError, ProblemCode
from inference_container.public_addresses import parse_target
from lambdas.asset_bytes import exceeded
from lambdas.asset_record import AssetRecord
from lambdas.asset_transitions import AssetTransitions
from lambdas.asset_work import AssetWork
from lambdas.assets import AssetStore
from lambdas.aws_errors import BAD_PARTS, NO_SUCH_OBJECT, NO_SUCH_UPLOAD, error_code, error_message
from lambdas.declarations import check_declaration
from lambdas.inspection import INSPECTION_LOST_AFTER
from lambdas.items import new_id
from lambdas.problems import ProblemError, invalid, shortened
from lambdas.stored_parts import StoredPart, stored_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_LOG = logging.getLogger(__name__)

MIB = 1024**2
PART_SIZE = 64 * MIB
MAX_PARTS = 10_000
URL_LIFE = timedelta(hours=12)
CHECKSUM_HEADER = "x-amz-checksum-sha256"
ABANDONED_AFTER = timedelta(hours=24)
"""Then anybody may take the name of an upload that never ended."""


@dataclass(frozen=True)
class Uploads:
    transitions: AssetTransitions
    work: AssetWork
    client: "S3Client"
    bucket: str

    @property
    def assets(self) -> AssetStore:
        return self.transitions.store

    def begin(self, wanted: CreateAsset, *, owner: str, quotas: Quotas, now: datetime) -> AssetRecord:
        """Start an upload or an import, or give back the owner's own unfinished upload of the same bytes.

        A name still on its way is taken over by its own owner, or by anybody once it is ABANDONED_AFTER old: what was
        there is thrown away.

        Raises:
            ProblemError: `invalid_params`, `asset_exists`, or `quota_exceeded`.
        """
        asset_type = check_declaration(wanted)
        asset_id = new_id()
        key = f"assets/{asset_id}/{wanted.name}"
        size = wanted.size or 0
        upload_id = self._open(key, wanted.checksum_algorithm)
        asset = AssetRecord(
            asset_id=asset_id,
            owner=owner,
            type=asset_type,
            name=wanted.name,
            size=size,
            sha256=wanted.sha256,
            key=key,
            upload_id=upload_id,
            part_size=part_size_for(size),
            status=AssetStatus.IMPORTING if wanted.source_url else AssetStatus.UPLOADING,
            created_at=now,
            description=wanted.description,
            tags=tuple(dict.fromkeys(wanted.tags)),
            users=tuple(dict.fromkeys(wanted.users)),
            roles=tuple(dict.fromkeys(wanted.roles)),
            source=parse_target(wanted.source_url).host if wanted.source_url else None,
            checksum_algorithm=wanted.checksum_algorithm,
            charged=size,
            bytes_allowed=quotas.asset_bytes,
        )
        try:
            refused = self.assets.add(asset, self._counted(asset))
            if 2 in refused and 0 not in refused:
                raise self._too_much(asset, size)
            if refused:
                going_on = self._take_over(asset, now=now)
                if going_on is not None:
                    self._abort(asset)
                    return going_on
            if wanted.source_url is not None:
                self._start_import(asset, wanted.source_url, wanted.bearer_token, now=now)
        except (ProblemError, ClientError, BotoCoreError):
            self._abort(asset)
            raise
        return asset

    def view(self, asset: AssetRecord, *, is_new: bool, now: datetime) -> UploadView:
        """All parts: which storage has, and presigned URLs for the others; one call, none for a new upload."""
        received = {} if is_new else self._parts_of(asset) or {}
        seconds = int(URL_LIFE.total_seconds())
        parts = []
        for number, size in _sizes(asset).items():
            there = number in received and received[number].size == size
            url = None
            if not there and asset.checksum_algorithm is None:
                place = self._place(asset, number)
                url = self.client.generate_presigned_url("upload_part", Params=place, ExpiresIn=seconds)
            offset = (number - 1) * asset.part_size
            sha256 = received[number].sha256 if there else None
            parts.append(
                UploadPart(part_number=number, offset=offset, size=size, url=url, received=there, sha256=sha256)
            )
        expires_at, algorithm = now + URL_LIFE, asset.checksum_algorithm
        return UploadView(part_size=asset.part_size, parts=parts, expires_at=expires_at, checksum_algorithm=algorithm)

    def sign(self, asset: AssetRecord, wanted: Sequence[PartChecksum], *, now: datetime) -> SignedParts:
        """URLs by which storage takes parts with these checksums and no others; no call.

        Raises:
            ProblemError: `upload_incomplete` (there is nothing to send parts to), or `invalid_params`.
        """
        if asset.status is not AssetStatus.UPLOADING:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, f"{asset.name!r} takes no parts: it is {asset.status}.")
        if asset.checksum_algorithm is None:
            message = "received checksums; allowed: for an upload that was begun with a checksum_algorithm"
            raise invalid([_error("/parts", message)])
        expected = _sizes(asset)
        _refuse_odd([part.part_number for part in wanted], of=len(expected))
        signed = []
        for part in wanted:
            checksum = base64.b64encode(bytes.fromhex(part.sha256)).decode()
            url = self.client.generate_presigned_url(
                "upload_part",
                Params=self._place(asset, part.part_number) | {"ChecksumSHA256": checksum},
                ExpiresIn=int(URL_LIFE.total_seconds()),
            )
            signed.append(SignedPart(part_number=part.part_number, url=url, headers={CHECKSUM_HEADER: checksum}))
        return SignedParts(parts=signed, expires_at=now + URL_LIFE)

    def complete(self, asset: AssetRecord, said: CompleteAsset, *, now: datetime) -> AssetRecord:
        """Put the parts together and have them inspected; what is beyond that already is answered as it is.

        Raises:
            ProblemError: `upload_incomplete` (parts are missing or wrong: the upload can go on), or `upload_mismatch`
                (the file is not what was declared: it is deleted, the asset is `failed`, its name free), or
                `invalid_params`.
        """
        if asset.status is AssetStatus.UPLOADING:
            if said.sha256 is not None and asset.sha256 not in (None, said.sha256):
                message = f"received {said.sha256}; allowed: {asset.sha256}, as declared when the upload began"
                raise invalid([_error("/sha256", message)])
            asset = replace(asset, sha256=asset.sha256 or said.sha256)
            asset = self._inspecting(asset, said.parts, now=now)
            asset = self.work.inspect(asset)
        elif asset.status is AssetStatus.IMPORTING:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The service itself fetches this file; wait for it.")
        elif asset.status is AssetStatus.INSPECTING and _lost(asset, now=now):
            asset = self.work.inspect_again(asset)
        if asset.status is AssetStatus.FAILED:
            message = f"The file is not what was declared: {asset.error}. Start again with POST /v1/assets."
            raise ProblemError(ProblemCode.UPLOAD_MISMATCH, shortened(message, 1000))
        return asset

    def discard(self, asset: AssetRecord) -> None:
        """Throw away what storage has of an asset that has no row any more, or never will be active."""
        self._abort(asset)
        self.client.delete_object(Bucket=self.bucket, Key=asset.key)

    def _inspecting(self, asset: AssetRecord, parts: Sequence[CompletedPart] | None, *, now: datetime) -> AssetRecord:
        received = self._received(asset) if parts is None else self._declared(asset, parts)
        if received is not None:
            self._join(asset, received)
        size = self._stored_size(asset)
        if size is None:
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The upload is gone. Start it again: POST /v1/assets.")
        if size != asset.size:
            reason = f"received {size} bytes, declared were {asset.size}"
            self.client.delete_object(Bucket=self.bucket, Key=asset.key)
            self.transitions.fail(asset, reason, now=now, allowed=(AssetStatus.UPLOADING,))
            raise ProblemError(ProblemCode.UPLOAD_MISMATCH, f"The file is not what was declared: {reason}.")
        inspecting = self.transitions.inspect(asset, size=size, now=now)
        if inspecting is not None:
            return inspecting
        current = self.assets.get(asset.asset_id)
        if current is None:  # started over or deleted while the parts were joined: nobody knows of this object
            self.client.delete_object(Bucket=self.bucket, Key=asset.key)
            raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, "The upload was started again meanwhile.")
        return current

    def _start_import(self, asset: AssetRecord, url: str, token: str | None, *, now: datetime) -> None:
        try:
            self.work.fetch(asset.asset_id, url=url, token=token)
        except (ClientError, BotoCoreError):
            self.transitions.fail(asset, "the import could not be started", now=now)
            raise

    def _take_over(self, asset: AssetRecord, *, now: datetime) -> AssetRecord | None:
        """Make the name this asset's; or the unfinished upload of the same bytes, which can go on."""
        holder = self.assets.holder_of_name(asset)
        if holder is None or holder.status not in (AssetStatus.UPLOADING, AssetStatus.IMPORTING):
            raise _exists(asset, holder)
        if holder.owner != asset.owner and now - holder.created_at < ABANDONED_AFTER:
            raise _exists(asset, holder)
        if _same_bytes(holder, asset) and self._parts_of(holder) is not None:
            return holder
        old, more = holder.charged or 0, asset.size
        if holder.owner == asset.owner:  # a transaction changes a row only once
            more -= old
            counts = self.transitions.owned.change(asset.owner, more, allowed=asset.bytes_allowed)
        else:
            counts = [*self._counted(asset), *self.transitions.owned.change(holder.owner, -old)]
        refused = self.assets.replace_unfinished(holder, asset, counts)
        if refused and min(refused) >= 3:
            raise self._too_much(asset, more)
        if refused:
            raise _exists(asset, self.assets.holder_of_name(asset))
        self.discard(holder)
        return None

    def _counted(self, asset: AssetRecord) -> list[dict[str, Any]]:
        return self.transitions.owned.change(asset.owner, asset.size, allowed=asset.bytes_allowed)

    def _too_much(self, asset: AssetRecord, more: int) -> ProblemError:
        used = self.transitions.owned.of(asset.owner)
        return exceeded(asset.owner, more, allowed=asset.bytes_allowed or 0, used=used)

    def _abort(self, asset: AssetRecord) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=asset.key, UploadId=asset.upload_id)
        except ClientError as error:
            if error_code(error) != NO_SUCH_UPLOAD:
                # The bucket's lifecycle rule removes unfinished uploads; the user's answer does not depend on it.
                _LOG.exception("upload of asset %s not aborted", asset.asset_id)
        except BotoCoreError:
            _LOG.exception("upload of asset %s not aborted", asset.asset_id)

    def _parts_of(self, asset: AssetRecord) -> Mapping[int, StoredPart] | None:
        return stored_parts(self.client, self.bucket, asset)

    def _open(self, key: str, algorithm: Literal["SHA256"] | None) -> str:
        """A new multipart upload's id."""
        if algorithm is None:
            return self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        opened = self.client.create_multipart_upload(Bucket=self.bucket, Key=key, ChecksumAlgorithm=algorithm)
        return opened["UploadId"]

    def _place(self, asset: AssetRecord, number: int) -> dict[str, str | int]:
        return {"Bucket": self.bucket, "Key": asset.key, "UploadId": asset.upload_id, "PartNumber": number}

    def _declared(self, asset: AssetRecord, parts: Sequence[CompletedPart]) -> Mapping[int, StoredPart] | None:
        """All parts with the caller's ETags; None when they have been joined before, or thrown away."""
        expected = _sizes(asset)
        numbers = [part.part_number for part in parts]
        _refuse_odd(numbers, of=len(expected))
        _refuse_missing(sorted(expected.keys() - set(numbers)), [], of=len(expected))
        # S3 wants the checksums of all parts, where there are any, and only it knows them all.
        stored = self._parts_of(asset) if asset.checksum_algorithm else {}
        if stored is None:
            return None
        checksums = {number: part.checksum for number, part in stored.items()}
        return {
            part.part_number: StoredPart(part.etag, expected[part.part_number], checksums.get(part.part_number))
            for part in parts
        }

    def _received(self, asset: AssetRecord) -> Mapping[int, StoredPart] | None:
        """All parts as storage has them; None when they have been joined before, or thrown away."""
        received = self._parts_of(asset)
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


def _sizes(asset: AssetRecord) -> dict[int, int]:
    """Bytes of each part by its number."""
    offsets = range(0, asset.size, asset.part_size)
    return {number: min(asset.part_size, asset.size - offset) for number, offset in enumerate(offsets, start=1)}


def _same_bytes(holder: AssetRecord, asset: AssetRecord) -> bool:
    both = (holder.status, asset.status)
    return (
        both == (AssetStatus.UPLOADING, AssetStatus.UPLOADING)
        and holder.owner == asset.owner
        # Who gets the checksum of each stored part sees which of them are another file's.
        and (holder.sha256 is not None or holder.checksum_algorithm is not None)
        and (holder.sha256, holder.size) == (asset.sha256, asset.size)
        and holder.checksum_algorithm == asset.checksum_algorithm
    )


def _lost(asset: AssetRecord, *, now: datetime) -> bool:
    return asset.inspected_since is not None and now - asset.inspected_since > INSPECTION_LOST_AFTER


def _refuse_odd(numbers: Sequence[int], *, of: int) -> None:
    unknown = sorted(number for number in set(numbers) if number > of)
    if unknown or len(set(numbers)) != len(numbers):
        odd = unknown[0] if unknown else next(number for number in numbers if numbers.count(number) > 1)
        raise invalid([_error("/parts", f"received part {odd}; allowed: each of 1 to {of} once")])


def _refuse_missing(missing: Sequence[int], wrong: Sequence[int], *, of: int) -> None:
    messages = [
        f"{len(numbers)} of {of} parts {what}: {', '.join(map(str, numbers[:10]))}"
        for numbers, what in ((missing, "are missing"), (wrong, "have another size than they should"))
        if numbers
    ]
    if messages:
        message = "; ".join(messages)
        raise ProblemError(ProblemCode.UPLOAD_INCOMPLETE, message, errors=[_error("/parts", message)])


def _error(pointer: str, message: str) -> FieldError:
    return FieldError(pointer=pointer, message=message)


def _exists(asset: AssetRecord, holder: AssetRecord | None) -> ProblemError:
    # Whom a restricted file is not meant for learns no more than that the name is taken.
    told = holder is not None and (holder.owner == asset.owner or not (holder.users or holder.roles))
    state = f", {holder.status} as {holder.asset_id}" if holder and told else ""
    return ProblemError(ProblemCode.ASSET_EXISTS, f"There is a {asset.type} named {asset.name!r}{state}.")

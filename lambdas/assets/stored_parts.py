"""The parts of a multipart upload that storage has received."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.assets.record import AssetRecord
from lambdas.aws.errors import NO_SUCH_UPLOAD, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class StoredPart:
    etag: str
    size: int
    checksum: str | None = None
    """SHA-256 in S3's format (base64), for an upload with a checksum algorithm."""

    @property
    def sha256(self) -> str | None:
        """The checksum as hex digits."""
        return None if self.checksum is None else base64.b64decode(self.checksum).hex()


def stored_parts(client: "S3Client", bucket: str, asset: AssetRecord) -> Mapping[int, StoredPart] | None:
    """By part number; None if the upload does not exist (any more). One call per thousand parts."""
    pages = client.get_paginator("list_parts").paginate(Bucket=bucket, Key=asset.key, UploadId=asset.upload_id)
    try:
        return {
            part["PartNumber"]: StoredPart(part["ETag"], part["Size"], part.get("ChecksumSHA256"))
            for page in pages
            for part in page.get("Parts", [])
        }
    except ClientError as error:
        if error_code(error) == NO_SUCH_UPLOAD:
            return None
        raise

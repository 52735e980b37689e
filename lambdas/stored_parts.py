"""The parts of a multipart upload that storage has received."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.asset_record import AssetRecord
from lambdas.aws_errors import NO_SUCH_UPLOAD, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class StoredPart:
    etag: str
    size: int


def stored_parts(client: "S3Client", bucket: str, asset: AssetRecord) -> Mapping[int, StoredPart] | None:
    """By part number; None when there is no such upload (any more). One call for each thousand parts."""
    pages = client.get_paginator("list_parts").paginate(Bucket=bucket, Key=asset.key, UploadId=asset.upload_id)
    try:
        return {
            part["PartNumber"]: StoredPart(part["ETag"], part["Size"])
            for page in pages
            for part in page.get("Parts", [])
        }
    except ClientError as error:
        if error_code(error) == NO_SUCH_UPLOAD:
            return None
        raise

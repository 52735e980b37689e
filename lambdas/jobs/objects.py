"""A job's objects in the jobs bucket: where they are and what they contain."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from generate_on_cloud.contract.messages import THUMBNAIL_NAME, JobRequest
from lambdas.aws.errors import NO_SUCH_OBJECT, error_code
from lambdas.aws.url_life import url_life

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUTPUT_PREFIX = "endpoint-output/"
FAILURE_PREFIX = "endpoint-failure/"


REMOVED_AT_ONCE = 1000
"""Maximum keys per DeleteObjects."""


def job_prefix(job_id: str) -> str:
    """Prefix of everything stored for a job except SageMaker's own answers."""
    return f"jobs/{job_id}/"


def input_key(user: str, input_id: str) -> str:
    """Key of a picture that a user uploaded on its own; no other user's request can lead to it."""
    return f"inputs/{hashlib.sha256(user.encode()).hexdigest()[:32]}/{input_id}"


def params_key(job_id: str) -> str:
    return f"jobs/{job_id}/params.json"


def request_key(job_id: str) -> str:
    return f"jobs/{job_id}/request.json"


def output_prefix(job_id: str) -> str:
    return f"jobs/{job_id}/output/"


def thumbnail_key(job_id: str) -> str:
    return f"{output_prefix(job_id)}{THUMBNAIL_NAME}"


class ObjectTooLargeError(Exception):
    """An object has more bytes than its reader accepts."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


@dataclass(frozen=True)
class JobObjects:
    client: "S3Client"
    bucket: str

    def read(self, key: str, *, max_bytes: int) -> bytes | None:
        """The bytes of an object, or None if it does not exist; one call.

        Raises:
            ObjectTooLargeError: it is larger than `max_bytes`; nothing was read.
        """
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in NO_SUCH_OBJECT:
                return None
            raise
        with answer["Body"] as body:
            if answer["ContentLength"] > max_bytes:
                raise ObjectTooLargeError(answer["ContentLength"])
            return body.read()

    def put_request(self, request: JobRequest) -> None:
        """Store the request document."""
        key = request_key(request.job_id)
        self.client.put_object(
            Bucket=self.bucket, Key=key, Body=request.model_dump_json().encode(), ContentType="application/json"
        )

    def copy(self, source: str, target: str) -> bool:
        """Copy an object within the bucket; False if it does not exist."""
        try:
            self.client.copy_object(Bucket=self.bucket, Key=target, CopySource={"Bucket": self.bucket, "Key": source})
        except ClientError as error:
            if error_code(error) in NO_SUCH_OBJECT:
                return False
            raise
        return True

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def exists(self, key: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in NO_SUCH_OBJECT:
                return False
            raise
        return True

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def remove_all(self, prefix: str, *, also: Sequence[str] = ()) -> None:
        """Delete every object below `prefix`, and the keys `also`; missing ones are fine.

        Raises:
            RuntimeError: S3 could not delete some of them.
        """
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [*also, *(entry["Key"] for page in pages for entry in page.get("Contents", []))]
        for start in range(0, len(keys), REMOVED_AT_ONCE):
            answer = self.client.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in keys[start : start + REMOVED_AT_ONCE]], "Quiet": True},
            )
            if answer.get("Errors"):
                raise RuntimeError(f"{len(answer['Errors'])} objects below {prefix} could not be removed")

    def url_life(self, *, now: datetime) -> timedelta:
        """How long a URL that is signed now is good for."""
        return url_life(self.client, now=now)

    def url_to_get(self, key: str, *, life: timedelta) -> str:
        return self._signed("get_object", life, Key=key)

    def url_to_put(self, key: str, *, size: int, life: timedelta) -> str:
        """A URL that takes exactly `size` bytes."""
        return self._signed("put_object", life, Key=key, ContentLength=size)

    def url_to_put_json(self, key: str, *, life: timedelta) -> str:
        return self._signed("put_object", life, Key=key, ContentType="application/json")

    def _signed(self, operation: str, life: timedelta, **params: str | int) -> str:
        return self.client.generate_presigned_url(
            operation, Params={"Bucket": self.bucket, **params}, ExpiresIn=int(life.total_seconds())
        )

    def key_of(self, location: str) -> str | None:
        """The key of an `s3://` location; None if it is not in this bucket."""
        try:
            parts = urlsplit(location, allow_fragments=False)
        except ValueError:
            return None
        if parts.scheme != "s3" or parts.netloc != self.bucket or parts.query:
            return None
        return parts.path.removeprefix("/") or None

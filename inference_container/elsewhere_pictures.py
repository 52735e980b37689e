"""Pictures that a request only refers to: its user's uploads, copied to the job, and https URLs."""

import base64
import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import MAX_PICTURE_BYTES, JobRequest
from generate_on_cloud.fetching.public_addresses import FetchError
from generate_on_cloud.fetching.safe_fetch import FetchLimits, SafeFetch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LIMITS = FetchLimits(max_bytes=MAX_PICTURE_BYTES, total_seconds=60)


def with_pictures(
    request: JobRequest,
    *,
    s3: "S3Client",
    bucket: str,
    fetch: SafeFetch | None = None,
    check: Callable[[], None] = lambda: None,
) -> JobRequest:
    """Return the request with all pictures as base64 in its params; `check` is called before each one and may raise.

    Raises:
        JobFailed: BAD_IMAGE, if a picture is missing or too large, or its URL is not allowed or fails.
    """
    if not request.pictures:
        return request
    params = copy.deepcopy(request.params)
    for pointer, location in request.pictures.items():
        check()
        if location.startswith("https://"):
            data = _fetched(location, pointer, fetch or SafeFetch())
        else:
            data = _stored(location, pointer, s3=s3, bucket=bucket)
        _put(params, pointer, base64.b64encode(data).decode())
    return request.model_copy(update={"params": params})


def _fetched(url: str, pointer: str, fetch: SafeFetch) -> bytes:
    try:
        with fetch.get(url, limits=_LIMITS) as download:
            return b"".join(download.chunks)
    except FetchError as error:
        raise JobFailed(JobErrorCode.BAD_IMAGE, f"the picture at {pointer} was not fetched: {error}") from error


def _stored(key: str, pointer: str, *, s3: "S3Client", bucket: str) -> bytes:
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        with answer["Body"] as body:
            if answer["ContentLength"] <= MAX_PICTURE_BYTES:
                return body.read()
    except (ClientError, BotoCoreError) as error:
        raise JobFailed(JobErrorCode.BAD_IMAGE, f"the uploaded picture at {pointer} cannot be read: {error}") from error
    message = f"the uploaded picture at {pointer} has {answer['ContentLength']} bytes; allowed: {MAX_PICTURE_BYTES}"
    raise JobFailed(JobErrorCode.BAD_IMAGE, message)


def _put(params: dict[str, Any], pointer: str, text: str) -> None:
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    place: Any = params
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = text

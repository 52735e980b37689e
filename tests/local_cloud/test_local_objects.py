"""Large S3 objects of the local cloud: parts, ranges, and what they are made of."""

import base64
import hashlib
import re
import tempfile
import threading
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_cloud.ministack.large_objects import FileBody, on_disk
from tests.local_cloud.tiny_stack import Tiny

MIB = 1024**2


def test_an_object_uploaded_in_parts_is_read_back_by_ranges(shared: Tiny) -> None:
    bucket, key = shared.cloud.outputs["BucketName"], "large"
    parts = [bytes([number]) * (5 * MIB) for number in range(3)] + [b"the end"]
    upload = shared.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    tags = [
        shared.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"]
        for number, part in enumerate(parts, start=1)
    ]

    shared.s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, start=1)]},
    )
    across = shared.s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    tail = shared.s3.get_object(Bucket=bucket, Key=key, Range="bytes=-7")

    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    assert tail["ETag"] == f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-4"'
    assert across["Body"].read() == b"\0\0\1\1"
    assert across["ContentRange"] == f"bytes {5 * MIB - 2}-{5 * MIB + 1}/{15 * MIB + 7}"
    assert tail["Body"].read() == b"the end"
    assert shared.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"".join(parts)


def test_an_upload_that_cannot_be_completed_yet_keeps_its_parts(shared: Tiny) -> None:
    bucket, key = shared.cloud.outputs["BucketName"], "later"
    upload = shared.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    tag = shared.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"one")["ETag"]

    def complete(*tags: str) -> str:
        parts = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, start=1)]}
        done = shared.s3.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload=parts,  # type: ignore[arg-type]
        )
        return done["ETag"]

    with pytest.raises(shared.s3.exceptions.ClientError, match="InvalidPart"):
        complete(tag, tag)
    first, again = complete(tag), complete(tag)

    assert first == again == shared.s3.head_object(Bucket=bucket, Key=key)["ETag"]
    assert shared.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"one"


def test_a_part_is_taken_with_its_checksum_and_not_without_or_with_another(shared: Tiny) -> None:
    bucket, key = shared.cloud.outputs["BucketName"], "checked"
    upload = shared.s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    right, wrong = (base64.b64encode(hashlib.sha256(data).digest()).decode() for data in (b"one", b"two"))
    place = {"Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": 1}

    def put(params: dict[str, object], headers: dict[str, str]) -> str:
        url = shared.s3.generate_presigned_url("upload_part", Params=place | params)
        answer = httpx.put(url, content=b"one", headers=headers)
        return str(answer.status_code) + "".join(re.findall("<Code>(.*?)</Code>", answer.text))

    header = "x-amz-checksum-sha256"
    answers = [
        put({}, {}),
        put({"ChecksumSHA256": wrong}, {header: wrong}),
        put({"ChecksumSHA256": right}, {header: wrong}),
        put({"ChecksumSHA256": right}, {}),
        put({"ChecksumSHA256": right}, {header: right}),
    ]
    (listed,) = shared.s3.list_parts(Bucket=bucket, Key=key, UploadId=upload)["Parts"]
    unchecked = {"PartNumber": 1, "ETag": listed["ETag"]}

    assert answers == [
        "400InvalidRequest",
        "400BadDigest",
        "403SignatureDoesNotMatch",
        "403SignatureDoesNotMatch",
        "200",
    ]
    assert listed["ChecksumSHA256"] == right
    with pytest.raises(shared.s3.exceptions.ClientError, match="InvalidRequest"):
        complete(shared, place, unchecked)
    complete(shared, place, unchecked | {"ChecksumSHA256": right})
    of_parts = base64.b64encode(hashlib.sha256(base64.b64decode(right)).digest()).decode()
    head = shared.s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == f"{of_parts}-1"


def complete(tiny: Tiny, place: dict[str, object], part: dict[str, object]) -> None:
    request: Any = {name: value for name, value in place.items() if name != "PartNumber"}
    tiny.s3.complete_multipart_upload(**request | {"MultipartUpload": {"Parts": [part]}})


def test_joining_a_large_upload_takes_little_memory(shared: Tiny) -> None:
    bucket, key, server = shared.cloud.outputs["BucketName"], "joined", psutil.Process(shared.cloud.pid)
    upload = shared.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    tags = [
        shared.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=bytes(16 * MIB))["ETag"]
        for number in range(1, 13)
    ]
    before = _anonymous_memory(server)
    peaks: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            peaks.append(_anonymous_memory(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        parts = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, start=1)]}
        shared.s3.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload=parts,  # type: ignore[arg-type]
        )
    finally:
        ended.set()
        watcher.join(20)

    assert shared.s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == 192 * MIB
    assert max(peaks, default=before) - before < 64 * MIB


def _anonymous_memory(process: psutil.Process) -> int:
    """Bytes that no file stands behind."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def test_a_range_beyond_the_end_is_refused(shared: Tiny) -> None:
    bucket = shared.cloud.outputs["BucketName"]
    shared.s3.put_object(Bucket=bucket, Key="short", Body=b"abc")

    with pytest.raises(shared.s3.exceptions.ClientError, match="InvalidRange"):
        shared.s3.get_object(Bucket=bucket, Key="short", Range="bytes=5-9")


def test_a_range_of_a_large_object_leaves_the_rest_on_the_disk(shared: Tiny) -> None:
    bucket = shared.cloud.outputs["BucketName"]
    shared.s3.put_object(Bucket=bucket, Key="huge", Body=bytes(64 * MIB))
    server = psutil.Process(shared.cloud.pid)
    before = server.io_counters().read_chars

    for start in range(0, 64 * MIB, 8 * MIB):
        shared.s3.get_object(Bucket=bucket, Key="huge", Range=f"bytes={start}-{start + 99}")["Body"].read()

    assert server.io_counters().read_chars - before < 8 * MIB


@given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_a_file_body_cuts_like_its_bytes(content: bytes, start: int, stop: int) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        body = FileBody(Path(file.name))

        assert body[start:stop] == content[start:stop]
        assert len(body) == len(content)


@given(st.binary(max_size=50))
@settings(max_examples=20, deadline=None)
def test_a_part_on_disk_is_the_part(content: bytes) -> None:
    assert b"".join([on_disk(content), on_disk(content)]) == content * 2

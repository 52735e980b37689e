"""Makes ministack read ranges of large S3 objects from their files, and store and check the parts of uploads.

On its own, ministack reads the whole object for every range, so a checkpoint fetched in 8 MiB ranges is read hundreds
of times. It holds all parts of an upload in memory until the last one arrives, and twice while joining them. It
computes the checksum of a part that comes without one, where S3 refuses the part.
"""

import hashlib
import mmap
import re
import tempfile
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.ministack.patches import replace

Refusal = Callable[[str, str, int], Any]
"""S3's error document with a code, a message and a status."""
_by_range: ContextVar[bool] = ContextVar("by_range", default=False)
COPIED_AT_ONCE = 8 * 1024**2


@dataclass(frozen=True)
class StoredPart:
    """A part as it was before its upload was completed."""

    body: "mmap.mmap | bytes"
    etag: str
    """MD5 of the body as hex digits."""


@dataclass
class Join:
    """An upload that is being completed."""

    parts: Mapping[int, StoredPart]
    etag: str = ""
    """Checksum of the whole object, once it is written."""


_join: ContextVar[Join | None] = ContextVar("join", default=None)


class FileBody:
    """The bytes of a file, read only when needed; replaces the bytes where ministack cuts a range."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise ValueError(f"received a step of {step}; allowed: 1")
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(max(0, stop - start))


def on_disk(body: bytes) -> mmap.mmap | bytes:
    """`body` as a view of a nameless file, whose space is freed with the view."""
    if not body:
        return body
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def tame_large_objects() -> None:
    """Install all of this in ministack's S3, once per process."""
    from ministack.services import s3

    uploads, completed = s3._multipart_uploads, s3._completed_multipart_uploads  # noqa: SLF001
    path_of, refusal = s3._object_disk_path, s3._error  # noqa: SLF001
    replace("services.s3._read_body", lambda read: _range_reader(read, path_of))
    replace("services.s3._get_object", _range_getter)
    replace("services.s3._upload_part", lambda upload: _part_keeper(upload, uploads, refusal))
    replace("services.s3._persist_object", lambda persist: _joined_writer(persist, path_of))
    replace("services.s3._complete_multipart_upload", lambda complete: _joiner(complete, uploads, completed, refusal))


def _range_reader(read: Callable[..., Any], path_of: Callable[[str, str], str | None]) -> Callable[..., Any]:
    def read_body(bucket: str, key: str, record: dict[str, Any]) -> Any:
        path = path_of(bucket, key) if _by_range.get() and record.get("body") is None else None
        return read(bucket, key, record) if path is None else FileBody(Path(path))

    return read_body


def _range_getter(get: Callable[..., Any]) -> Callable[..., Any]:
    def get_object(bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None) -> Any:
        # Only this path is known to cut every body it reads.
        token = _by_range.set("range" in headers and "versionId" not in (query or {}))
        try:
            return get(bucket, key, headers, query)
        finally:
            _by_range.reset(token)

    return get_object


def _part_keeper(upload: Callable[..., Any], uploads: Any, refusal: Refusal) -> Callable[..., Any]:
    def upload_part(bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str]) -> Any:
        algorithm = _algorithm_of(uploads, query)
        if algorithm and f"x-amz-checksum-{algorithm}" not in headers:
            message = (
                f"Checksum Type mismatch occurred, expected checksum Type: {algorithm}, actual checksum Type: null"
            )
            return refusal("InvalidRequest", message, 400)
        answer = upload(bucket, key, body, query, headers)
        if answer[0] == 200:
            part = uploads[_first(query["uploadId"])]["parts"][int(_first(query["partNumber"]))]
            part["body"] = on_disk(body)
        return answer

    return upload_part


def _joiner(complete: Callable[..., Any], uploads: Any, completed: Any, refusal: Refusal) -> Callable[..., Any]:
    """Complete an upload whose parts look empty to ministack: `_joined_writer` puts their bytes into the object."""

    def complete_multipart_upload(
        bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Any:
        upload_id = _first(query["uploadId"])
        upload = uploads.get(upload_id)
        if upload is None or "x-amz-mp-object-size" in (headers or {}):
            return complete(bucket, key, body, query, headers)
        algorithm = _algorithm_of(uploads, query)
        if algorithm and body.count(f"<Checksum{algorithm.upper()}>".encode()) < body.count(b"<PartNumber>"):
            message = (
                f"The upload was created using a {algorithm} checksum. "
                "The complete request must include the checksum for each part."
            )
            return refusal("InvalidRequest", message, 400)
        join = Join(
            {number: StoredPart(part["body"], part["etag"].strip('"')) for number, part in upload["parts"].items()}
        )
        for part in upload["parts"].values():
            part["body"] = b""
        token = _join.set(join)
        try:
            answer = complete(bucket, key, body, query, headers)
        finally:
            _join.reset(token)
            if upload_id in uploads:  # refused: the upload stays open
                for number, part in join.parts.items():
                    upload["parts"][number]["body"] = part.body
        if join.etag:
            told = re.sub(rb"<ETag>.*?</ETag>", f"<ETag>{join.etag}</ETag>".encode(), answer[2])
            answer = (answer[0], answer[1], told)
            completed[upload_id]["response"] = answer
        return answer

    return complete_multipart_upload


def _joined_writer(persist: Callable[..., Any], path_of: Callable[[str, str], str | None]) -> Callable[..., Any]:
    def persist_object(bucket: str, key: str, record: Any) -> Any:
        join, place = _join.get(), path_of(bucket, key)
        if join is None or place is None:
            return persist(bucket, key, record)
        joined = [join.parts[listed["PartNumber"]] for listed in record["parts"]]
        path = Path(place)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".tmp")
        with partial.open("wb") as file:
            for part in joined:
                for start in range(0, len(part.body), COPIED_AT_ONCE):
                    file.write(part.body[start : start + COPIED_AT_ONCE])
        partial.replace(path)
        for listed, part in zip(record["parts"], joined, strict=True):
            listed["Size"] = len(part.body)
        # Without a body, ministack leaves the file as it is and writes the rest of the record next to it.
        join.etag = _etag(joined)
        record |= {"body": None, "size": sum(len(part.body) for part in joined), "etag": join.etag}
        return persist(bucket, key, record)

    return persist_object


def _etag(parts: list[StoredPart]) -> str:
    """S3's tag of an object made of parts: MD5 of their MD5s, and their number."""
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def _algorithm_of(uploads: Any, query: Mapping[str, Any]) -> str | None:
    """The checksum algorithm in lower case; None if the upload does not exist or has no checksums."""
    upload = uploads.get(_first(query["uploadId"])) or {}
    algorithm: str | None = upload.get("checksum_algorithm")
    return algorithm and algorithm.lower()


def _first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]

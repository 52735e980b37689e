"""Makes ministack 1.5.33 read ranges of large S3 objects from their files and keep uploaded parts off the heap.

By itself it reads the whole object for every range, so a checkpoint fetched in 8 MiB ranges is read hundreds of times,
and holds all parts of an upload in memory until the last one has come.
"""

import mmap
import tempfile
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_by_range: ContextVar[bool] = ContextVar("by_range", default=False)


class FileBody:
    """The bytes of a file, read only as far as they are asked for; stands in for them where ministack cuts a range."""

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
    """`body` as a view of a nameless file, whose space is given back with the view."""
    if not body:
        return body
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def tame_large_objects() -> None:
    """Put both into ministack's S3, once per process."""
    from ministack.services import s3

    s3._read_body = _range_reader(s3._read_body, s3._object_disk_path)  # noqa: SLF001
    s3._get_object = _range_getter(s3._get_object)  # noqa: SLF001
    s3._upload_part = _part_keeper(s3._upload_part, s3._multipart_uploads)  # noqa: SLF001


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


def _part_keeper(upload: Callable[..., Any], uploads: Any) -> Callable[..., Any]:
    def upload_part(bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str]) -> Any:
        answer = upload(bucket, key, body, query, headers)
        if answer[0] == 200:
            part = uploads[_first(query["uploadId"])]["parts"][int(_first(query["partNumber"]))]
            part["body"] = on_disk(body)
        return answer

    return upload_part


def _first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]

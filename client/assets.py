"""Cloud assets as the client sees them: upload a model file by presigned parts, list what is there."""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import httpx

from client.connection import Connection
from client.errors import TransferError
from inference_container.contract.api import (
    AssetPage,
    AssetView,
    CompleteAsset,
    CompletedPart,
    CreateAsset,
    UploadPart,
)

Advance = Callable[[int], None]
"""Called with the number of bytes that were just sent."""

PARALLEL_PARTS = 3
TRIES = 4


class Assets:
    """`/v1/assets`"""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
        self,
        path: Path,
        asset_type: str,
        *,
        name: str | None = None,
        sha256: str | None = None,
        advance: Advance = lambda _: None,
    ) -> AssetView:
        """Upload a model file; the answer is active. `sha256` of its bytes when the caller knows it, else it is read.

        Raises:
            OSError: the file cannot be read.
            ProblemError: the service refused it, e.g. a name that is taken.
            TransferError: a part did not arrive after several tries.
        """
        digest = sha256 or file_sha256(path)
        body = CreateAsset(type=asset_type, name=name or path.name, size=path.stat().st_size, sha256=digest)
        asset = self._connection.ask(AssetView, "POST", "/v1/assets", body=body)
        if asset.upload is None:
            raise TransferError(f"{path.name}: the service gave no URLs to upload to")
        with ThreadPoolExecutor(PARALLEL_PARTS) as pool:
            parts = list(pool.map(lambda part: self._send(path, part, advance), asset.upload.parts))
        complete = CompleteAsset(parts=parts)
        return self._connection.ask(AssetView, "POST", f"/v1/assets/{asset.asset_id}/complete", body=complete)

    def get(self, asset_id: str) -> AssetView:
        """One asset's record."""
        return self._connection.ask(AssetView, "GET", f"/v1/assets/{asset_id}")

    def page(self, *, asset_type: str | None = None, limit: int = 100, cursor: str | None = None) -> AssetPage:
        """One page of the assets."""
        query = {"type": asset_type, "limit": limit, "cursor": cursor}
        return self._connection.ask(AssetPage, "GET", "/v1/assets", query=query)

    def list(self, *, asset_type: str | None = None) -> Iterator[AssetView]:
        """All assets (of one type), fetched page by page."""
        cursor = None
        while True:
            page = self.page(asset_type=asset_type, cursor=cursor)
            yield from page.assets
            cursor = page.next_cursor
            if cursor is None:
                return

    def _send(self, path: Path, part: UploadPart, advance: Advance) -> CompletedPart:
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(2**attempt / 4)
            with path.open("rb") as file:
                file.seek(part.offset)
                try:
                    response = self._connection.put(part.url, _read_exactly(file, part.size), {})
                except httpx.TransportError as error:
                    reason = str(error)
                    continue
            if response.is_success:
                advance(part.size)
                return CompletedPart(part_number=part.part_number, etag=response.headers["etag"])
            reason = f"storage answered {response.status_code}: {response.text[:200]}"
            if response.status_code < 500:
                break
        raise TransferError(f"{path.name}: part {part.part_number} was not uploaded: {reason}")


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise TransferError(f"the file became shorter while it was uploaded: {len(data)} of {size} bytes")
    return data


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

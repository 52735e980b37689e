"""Sends the parts of a file to presigned URLs: several at once, streamed, each until it has arrived whole."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from client.connection import Connection
from client.errors import TransferError
from inference_container.contract.api import AssetView, UploadPart

Advance = Callable[[int], None]
"""Called with the number of bytes that were just sent; a negative number for those that must be sent again."""

PARALLEL_PARTS = 4
CHUNK = 1024**2
TRIES = 6
_MD5_DIGITS = 32
_URL_EXPIRED = 403
_WORTH_AGAIN = (408, 429)


class PartSender:
    """Parts of one upload. Memory: PARALLEL_PARTS chunks, whatever the size of file and parts."""

    def __init__(self, connection: Connection, path: Path, asset: AssetView, advance: Advance) -> None:
        self._connection = connection
        self._path = path
        self._asset_id = asset.asset_id
        self._advance = advance
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._urls: dict[int, str] = {}
        self._take_urls(asset)

    def send(self, parts: Sequence[UploadPart]) -> None:
        """Send all of them; an error or Ctrl-C stops the others in the middle of a chunk.

        Raises:
            OSError: the file cannot be read.
            TransferError: a part did not arrive after TRIES tries, or the file changed.
        """
        with ThreadPoolExecutor(PARALLEL_PARTS) as pool:
            try:
                for sent in [pool.submit(self._send, part) for part in parts]:
                    sent.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send(self, part: UploadPart) -> None:
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                self._stopped.wait(2**attempt / 4)
            body = _PartBody(self._path, part, self._advance, self._stopped)
            url = self._urls[part.part_number]
            try:
                response = self._connection.put(url, iter(body), {"content-length": str(part.size)})
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                if response.is_success and body.is_what_arrived(response.headers.get("etag", "")):
                    return
                reason = f"storage answered {response.status_code}: {response.text[:200]}"
                if response.is_success:
                    reason = "its bytes were changed on the way"
                elif response.status_code == _URL_EXPIRED and attempt == 0:
                    self._renew(url, part.part_number)
                elif response.status_code < 500 and response.status_code not in _WORTH_AGAIN:
                    body.take_back()
                    break
            body.take_back()
        raise TransferError(f"{self._path.name}: part {part.part_number} was not uploaded: {reason}")

    def _renew(self, old: str, number: int) -> None:
        """New URLs, unless another thread has fetched them meanwhile."""
        with self._lock:
            if self._urls[number] == old:
                self._take_urls(self._connection.ask(AssetView, "GET", f"/v1/assets/{self._asset_id}"))

    def _take_urls(self, asset: AssetView) -> None:
        for part in asset.upload.parts if asset.upload else ():
            if part.url is not None:
                self._urls[part.part_number] = part.url


class _PartBody:
    """The bytes of one part, read as they are sent."""

    def __init__(self, path: Path, part: UploadPart, advance: Advance, stopped: threading.Event) -> None:
        self._path = path
        self._part = part
        self._advance = advance
        self._stopped = stopped
        self._sent = 0
        self._digest = hashlib.md5(usedforsecurity=False)

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._part.offset)
            while self._sent < self._part.size:
                if self._stopped.is_set():
                    raise TransferError("stopped")
                chunk = file.read(min(CHUNK, self._part.size - self._sent))
                if not chunk:
                    raise TransferError(f"{self._path.name} became shorter while it was uploaded")
                self._digest.update(chunk)
                yield chunk
                self._sent += len(chunk)
                self._advance(len(chunk))

    def is_what_arrived(self, etag: str) -> bool:
        """Compare with storage's tag, which is the part's MD5 unless the bucket is encrypted with a key of its own."""
        tag = etag.strip('"')
        return len(tag) != _MD5_DIGITS or tag == self._digest.hexdigest()

    def take_back(self) -> None:
        self._advance(-self._sent)
        self._sent = 0

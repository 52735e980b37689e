"""Sends the parts of a file: hashed in order, several sent in parallel, each retried until it has arrived whole."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

import httpx

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.client.errors import TransferError
from generate_on_cloud.client.signed_urls import is_refused
from generate_on_cloud.contract.asset_bodies import (
    AssetView,
    PartChecksum,
    SignedPart,
    SignedParts,
    SignParts,
    UploadPart,
)

Advance = Callable[[int], None]
"""Called with the number of bytes just sent; negative for bytes that must be sent again."""

PARALLEL_PARTS = 4
CHUNK = 1024**2
TRIES = 6
_SIGNED_AT_ONCE = 2 * PARALLEL_PARTS
"""URLs live for minutes: none is signed long before it is used."""
_WORTH_AGAIN = (408, 429)
_BAD_DIGEST = "BadDigest"
"""S3's error code for bytes that do not match their checksum."""


class PartSender:
    """Sends one upload. Memory: PARALLEL_PARTS chunks and one digest per part, whatever the size of the file."""

    def __init__(self, connection: Connection, path: Path, asset: AssetView, advance: Advance) -> None:
        self._connection = connection
        self._path = path
        self._asset_id = asset.asset_id
        self._parts = asset.upload.parts if asset.upload else []
        self._advance = advance
        self._stopped = threading.Event()
        self._failures: list[BaseException] = []
        self._lock = threading.Lock()
        self._unsigned: dict[int, str] = {}
        self._signed: dict[int, SignedPart] = {}

    def send(self) -> str:
        """Send what storage does not have; returns the SHA-256 of the whole file in lower-case hex.

        Each part is hashed before it is sent, while earlier parts are still being sent. A part that storage already
        has is sent again if its bytes differ. An error or Ctrl-C stops all transfers in the middle of a chunk.

        Raises:
            OSError: the file cannot be read.
            TransferError: a part did not arrive within TRIES tries, or the file changed.
        """
        whole = hashlib.sha256()
        with ThreadPoolExecutor(PARALLEL_PARTS) as pool, self._path.open("rb", buffering=0) as file:
            try:
                sending: list[Future[None]] = []
                for part in self._parts:
                    if self._failures:
                        break
                    sha256 = self._hash(file.readinto, part, whole.update)
                    if part.received and part.sha256 == sha256:
                        self._advance(part.size)
                    else:
                        with self._lock:
                            self._unsigned[part.part_number] = sha256
                        sending.append(pool.submit(self._send, part, sha256))
                wait(sending, return_when=FIRST_EXCEPTION)
                if self._failures:
                    raise self._failures[0]
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return whole.hexdigest()

    def _hash(
        self, read: Callable[[memoryview], int | None], part: UploadPart, update: Callable[[memoryview], None]
    ) -> str:
        digest, left, chunk = hashlib.sha256(), part.size, memoryview(bytearray(CHUNK))
        while left:
            length = read(chunk[:left])
            if not length:
                raise TransferError(f"{self._path.name} shrank during the upload")
            digest.update(chunk[:length])
            update(chunk[:length])
            left -= length
        return digest.hexdigest()

    def _send(self, part: UploadPart, sha256: str) -> None:
        try:
            self._send_until_it_arrived(part, sha256)
        except BaseException as error:
            self._failures.append(error)  # before the others are stopped: their failures say nothing
            self._stopped.set()
            raise

    def _send_until_it_arrived(self, part: UploadPart, sha256: str) -> None:
        reason, refused = "", False
        for attempt in range(TRIES):
            if attempt:
                self._stopped.wait(2**attempt / 4)
            body = _PartBody(self._path, part, self._advance, self._stopped)
            place = self._place_of(part.part_number)
            try:
                response = self._connection.put(
                    place.url, iter(body), {**place.headers, "content-length": str(part.size)}
                )
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                if response.is_success:
                    return
                reason = f"storage answered {response.status_code}: {response.text[:200]}"
                if _BAD_DIGEST in response.text:
                    reason = "its bytes were altered in transit, or the file changed during the upload"
                elif is_refused(response) and not refused:
                    self._sign_again(part.part_number, sha256)
                elif response.status_code < 500 and response.status_code not in _WORTH_AGAIN:
                    body.take_back()
                    break
                refused = is_refused(response)
            body.take_back()
        raise TransferError(f"{self._path.name}: part {part.part_number} was not uploaded: {reason}")

    def _place_of(self, number: int) -> SignedPart:
        """The presigned URL of a part; one request signs all parts hashed since the last one."""
        with self._lock:
            if number not in self._signed:
                # This one first: it must be among those signed now.
                rest = sorted(self._unsigned, key=lambda other: (other != number, other))
                asked = [PartChecksum(part_number=other, sha256=self._unsigned[other]) for other in rest]
                answer = self._connection.ask(
                    SignedParts,
                    "POST",
                    f"/v1/assets/{self._asset_id}/parts",
                    body=SignParts(parts=asked[:_SIGNED_AT_ONCE]),
                )
                for signed in answer.parts:
                    self._signed[signed.part_number] = signed
                    self._unsigned.pop(signed.part_number, None)
            return self._signed[number]

    def _sign_again(self, number: int, sha256: str) -> None:
        with self._lock:
            self._signed.pop(number, None)
            self._unsigned[number] = sha256


class _PartBody:
    """The bytes of one part, read as they are sent."""

    def __init__(self, path: Path, part: UploadPart, advance: Advance, stopped: threading.Event) -> None:
        self._path = path
        self._part = part
        self._advance = advance
        self._stopped = stopped
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._part.offset)
            while self._sent < self._part.size:
                if self._stopped.is_set():
                    raise TransferError("stopped")
                chunk = file.read(min(CHUNK, self._part.size - self._sent))
                if not chunk:
                    raise TransferError(f"{self._path.name} shrank during the upload")
                yield chunk
                self._sent += len(chunk)
                self._advance(len(chunk))

    def take_back(self) -> None:
        self._advance(-self._sent)
        self._sent = 0

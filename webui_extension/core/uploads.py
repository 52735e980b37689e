"""Sends local model files: parts with their SHA-256, two at a time, resumed where an earlier try stopped."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from webui_extension.core.connection import Connection
from webui_extension.core.errors import CloudError, PanelError
from webui_extension.core.texts import say

PARALLEL_PARTS = 2
CHUNK = 1024**2
TRIES = 5
Advance = Callable[[int], None]
"""Called with the number of bytes that have arrived."""


class StoppedError(PanelError):
    """The user stopped the upload; what has arrived stays."""


class Upload:
    """One file on its way; `run` may be called again after it was stopped or failed."""

    def __init__(self, connection: Connection, path: Path, asset_type: str) -> None:
        self.path = path
        self.asset_type = asset_type
        self.size = path.stat().st_size
        self.sent = 0
        self._connection = connection
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> dict[str, Any]:
        """The asset, once storage has every byte; a large file may still be inspected then.

        Raises:
            OSError: the file cannot be read.
            StoppedError: `stop` was called.
            CloudError: the service or its storage refused it.
        """
        self.sent = 0
        body = {"type": self.asset_type, "name": self.path.name, "size": self.size, "checksum_algorithm": "SHA256"}
        asset = self._connection.ask("POST", "/v1/assets", body=body)
        whole = hashlib.sha256()
        with ThreadPoolExecutor(PARALLEL_PARTS, thread_name_prefix="generate-on-cloud upload") as pool:
            sending = []
            for part in asset["upload"]["parts"]:
                sha256 = self._hash(part, whole)
                if part.get("received") and part.get("sha256") == sha256:
                    self._advance(part["size"])
                else:
                    sending.append(pool.submit(self._send, asset["asset_id"], part, sha256))
                while len(sending) > PARALLEL_PARTS:  # hash no further ahead than what is being sent
                    sending.pop(0).result()
            for future in sending:
                future.result()
        return self._connection.ask(
            "POST", f"/v1/assets/{asset['asset_id']}/complete", body={"sha256": whole.hexdigest()}
        )

    def _hash(self, part: Mapping[str, Any], whole: Any) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(part):
            digest.update(chunk)
            whole.update(chunk)
        return digest.hexdigest()

    def _send(self, asset_id: str, part: Mapping[str, Any], sha256: str) -> None:
        number = part["part_number"]
        for attempt in range(1, TRIES + 1):
            self._check()
            try:
                body = {"parts": [{"part_number": number, "sha256": sha256}]}
                place = self._connection.ask("POST", f"/v1/assets/{asset_id}/parts", body=body)["parts"][0]
                headers = {**place["headers"], "Content-Length": str(part["size"])}
                self._connection.put(place["url"], self._chunks(part), headers)
            except CloudError as error:
                # StoppedError passes through urllib as it is.
                if error.code or attempt == TRIES:
                    raise
                self._stopped.wait(2**attempt / 4)
            else:
                self._advance(part["size"])
                return

    def _chunks(self, part: Mapping[str, Any]) -> Iterator[bytes]:
        left = part["size"]
        with self.path.open("rb") as file:
            file.seek(part["offset"])
            while left:
                self._check()
                chunk = file.read(min(CHUNK, left))
                if not chunk:
                    raise PanelError(say("upload_failed", name=self.path.name, reason="the file shrank"))
                yield chunk
                left -= len(chunk)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise StoppedError(say("stopped", name=self.path.name))

    def _advance(self, size: int) -> None:
        with self._lock:
            self.sent += size


def local_files(folders: Mapping[str, list[Path]], asset_type: str, extensions: tuple[str, ...]) -> list[Path]:
    """The model files of a type below its folders, by name; a folder that cannot be read has none."""
    found = {
        path.name: path
        for folder in folders.get(asset_type, [])
        if folder.is_dir()
        for path in sorted(folder.rglob("*"), reverse=True)
        if path.suffix.lower() in extensions and path.is_file()
    }
    return [found[name] for name in sorted(found, key=str.casefold)]


def import_line(asset: Mapping[str, Any]) -> tuple[str, bool]:
    """What is said of a file that the cloud fetches by URL, and whether that is its last word."""
    name, status = asset["name"], asset["status"]
    if status == "active":
        return say("uploaded", name=name), True
    if status == "failed":
        return say("upload_failed", name=name, reason=asset.get("error") or say("failed")), True
    size = f"{asset['size'] / 1e9:.2f}" if asset.get("size") else "?"
    received = f" {(asset.get('received') or 0) / 1e9:.2f} / {size} GB" if status == "importing" else ""
    return f"{name}: {say(status)}{received}", False


def file_line(path: Path, cloud: list[dict[str, Any]]) -> str:
    """`name · size · state`, where the state is that of the cloud's file with this name."""
    asset = next((each for each in cloud if each["name"].casefold() == path.name.casefold()), None)
    state = {"active": "on_cloud"}.get(asset["status"], asset["status"]) if asset else "not_on_cloud"
    return f"{path.name} · {path.stat().st_size / 1e9:.2f} GB · {say(state)}"

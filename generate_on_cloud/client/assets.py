"""The client's assets: upload or import a model file, look it up, change and delete it."""

import hashlib
import itertools
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.client.errors import (
    AssetFailedError,
    AssetPausedError,
    ConnectionLostError,
    NotFoundError,
    TransferError,
)
from generate_on_cloud.client.model_yaml import prediction_type_beside, yaml_prediction_type
from generate_on_cloud.client.part_sender import CHUNK, Advance, PartSender
from generate_on_cloud.contract.asset_bodies import (
    AssetPage,
    AssetView,
    ChangeAsset,
    CompleteAsset,
    CreateAsset,
    ResumeImport,
)
from generate_on_cloud.contract.assets import AssetStatus, AssetType, PredictionType, asset_type_named

COMPLETE_TRIES = 4
Look = Callable[[AssetView], None]
"""Called with the asset each time it was read."""


class Assets:
    """`/v1/assets`"""

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._sleep = sleep

    def upload(
        self,
        path: Path,
        asset_type: str,
        *,
        name: str | None = None,
        sha256: str | None = None,
        prediction_type: PredictionType | None = None,
        hashing: Advance = lambda _: None,
        advance: Advance = lambda _: None,
        look: Look = lambda _: None,
        wait: bool = True,
    ) -> AssetView:
        """Upload a model file and return the active asset. Pass `sha256` of its bytes if you know it.

        Without `wait` it returns as soon as storage has all bytes; the asset may still be `inspecting`.

        If you may already use an asset of this type with the same bytes, nothing is sent and that asset is returned;
        with `name` None it may have another name. To find out, the file is hashed first (`hashing` is called), but
        only if there is an asset of its size; otherwise it is hashed while it is sent. An interrupted upload resumes
        with the parts that storage does not have yet.

        A checkpoint's `prediction_type` is by default what a `.yaml` of the same name next to it says, as in WebUI.

        Raises:
            OSError: the file cannot be read.
            CloudError: the file is empty, or its `.yaml` cannot be read.
            ProblemError: the service refused it, for example because the name is taken.
            TransferError: a part did not arrive after several tries.
            AssetFailedError: the file is not of the given type.
        """
        size = path.stat().st_size
        if size == 0:
            raise TransferError(f"{path.name} is empty (0 bytes); download or export it again")
        prediction_type = prediction_type or prediction_type_beside(path, asset_type)
        if sha256 is None and self._may_be_there(asset_type, size):
            sha256 = file_sha256(path, advance=hashing)
        for known in self.with_hash(sha256) if sha256 is not None else ():
            if known.type is asset_type_named(asset_type) and name in (None, known.name):
                advance(size)
                return self._predicting(known, prediction_type)
        body = CreateAsset(
            type=asset_type,
            name=name or path.name,
            size=size,
            sha256=sha256,
            checksum_algorithm="SHA256",
            prediction_type=prediction_type,
        )
        asset = self._connection.ask(AssetView, "POST", "/v1/assets", body=body)
        if asset.upload is None:
            raise TransferError(f"{path.name}: the service returned no upload URLs")
        digest = PartSender(self._connection, path, asset, advance).send()
        if sha256 is not None and digest != sha256:
            raise TransferError(f"{path.name}: its SHA-256 is {digest}, expected {sha256}; did the file change?")
        complete = self._complete(asset.asset_id, digest)
        return self.finish(complete, look=look) if wait else complete

    def import_url(
        self,
        url: str,
        asset_type: str,
        *,
        name: str | None = None,
        sha256: str | None = None,
        size: int | None = None,
        bearer_token: str | None = None,
        prediction_type: PredictionType | None = None,
    ) -> AssetView:
        """Have the service download a file. The returned asset is `importing`; `finish` waits for it.

        Besides https URLs it takes `civitai:MODEL`, `civitai:MODEL@VERSION` and `hf:OWNER/REPO/FILE`. Without
        `name` the file is called as its source calls it.

        Raises:
            ProblemError: the service refused it.
        """
        body = CreateAsset(
            type=asset_type,
            name=name,
            size=size,
            sha256=sha256,
            source_url=url,
            bearer_token=bearer_token,
            prediction_type=prediction_type,
        )
        return self._connection.ask(AssetView, "POST", "/v1/assets", body=body)

    def pause_import(self, asset_id: str) -> AssetView:
        """Pause an import; it keeps what it has, for a week from its beginning.

        Raises:
            ProblemError: `asset_state_conflict` if it is not an import in progress.
        """
        return self._connection.ask(AssetView, "POST", f"/v1/assets/{asset_id}/pause")

    def resume_import(self, asset_id: str, url: str, *, bearer_token: str | None = None) -> AssetView:
        """Resume a paused import. URL and token are not stored, so they are sent again.

        Raises:
            ProblemError: `asset_state_conflict`, or `invalid_params` for a URL on another host.
        """
        body = ResumeImport(source_url=url, bearer_token=bearer_token)
        return self._connection.ask(AssetView, "POST", f"/v1/assets/{asset_id}/resume", body=body)

    def finish(self, asset: AssetView, *, look: Look = lambda _: None) -> AssetView:
        """Wait until an uploading or importing asset is active.

        Raises:
            AssetFailedError: the file is not what was declared.
            AssetPausedError: the import is paused.
        """
        for attempt in itertools.count():
            look(asset)
            if asset.status is AssetStatus.FAILED:
                raise AssetFailedError(asset)
            if asset.status is AssetStatus.ACTIVE:
                return asset
            if asset.paused:
                raise AssetPausedError(asset)
            self._sleep(min(5.0, 0.5 * 1.5**attempt))
            asset = self.get(asset.asset_id)
        raise AssertionError("unreachable")

    def get(self, asset_id: str) -> AssetView:
        """One asset."""
        return self._connection.ask(AssetView, "GET", f"/v1/assets/{asset_id}")

    def with_hash(self, sha256: str) -> list[AssetView]:
        """Active assets with these bytes that the caller may use."""
        return self._connection.ask(AssetPage, "GET", f"/v1/assets/by-hash/{sha256}").assets

    def change(self, asset_id: str, change: ChangeAsset) -> AssetView:
        """Rename, describe or tag it, or change who may use it."""
        return self._connection.ask(AssetView, "PATCH", f"/v1/assets/{asset_id}", body=change)

    def apply_yaml(self, path: Path) -> AssetView:
        """Give the checkpoint called like a `.yaml` the prediction type that it says; returns the checkpoint.

        Raises:
            CloudError: the `.yaml` cannot be read.
            NotFoundError: there is no such checkpoint, or several.
        """
        prediction_type = yaml_prediction_type(path)
        stem = unicodedata.normalize("NFC", path.stem)
        called = [
            one
            for one in self.list(asset_type=AssetType.CHECKPOINT)
            if PurePosixPath(one.name).stem == stem and one.status is AssetStatus.ACTIVE
        ]
        if len(called) != 1:
            raise NotFoundError(
                f"{path.name} belongs to a checkpoint of the same name: received {len(called)} called {stem!r}; "
                "upload the checkpoint first"
            )
        return self._predicting(called[0], prediction_type)

    def delete(self, asset_id: str) -> AssetView:
        """Delete it, or cancel its upload or import; returns the asset as it was, or with `deleted_until`."""
        return self._connection.ask(AssetView, "DELETE", f"/v1/assets/{asset_id}")

    def restore(self, asset_id: str) -> AssetView:
        """Make a deleted asset active again, until `deleted_until`."""
        return self._connection.ask(AssetView, "POST", f"/v1/assets/{asset_id}/restore")

    def page(
        self, *, asset_type: str | None = None, deleted: bool = False, limit: int = 100, cursor: str | None = None
    ) -> AssetPage:
        """One page of assets; `deleted`: of those that can be restored."""
        query = {"type": asset_type, "deleted": "true" if deleted else None, "limit": limit, "cursor": cursor}
        return self._connection.ask(AssetPage, "GET", "/v1/assets", query=query)

    def list(self, *, asset_type: str | None = None, deleted: bool = False) -> Iterator[AssetView]:
        """All assets, or those of one type, fetched page by page; `deleted`: those that can be restored."""
        cursor = None
        while True:
            page = self.page(asset_type=asset_type, deleted=deleted, cursor=cursor)
            yield from page.assets
            cursor = page.next_cursor
            if cursor is None:
                return

    def _predicting(self, asset: AssetView, prediction_type: PredictionType | None) -> AssetView:
        if prediction_type in (None, asset.prediction_type):
            return asset
        return self.change(asset.asset_id, ChangeAsset(prediction_type=prediction_type))

    def _may_be_there(self, asset_type: str, size: int) -> bool:
        """Whether an active asset of this type and size exists; only then is it worth hashing the file first."""
        cursor: str | None = None
        while True:
            query: dict[str, str | int | None] = {"type": asset_type, "size": size, "limit": 100, "cursor": cursor}
            page = self._connection.ask(AssetPage, "GET", "/v1/assets", query=query)
            if any(asset.status is AssetStatus.ACTIVE for asset in page.assets):
                return True
            cursor = page.next_cursor
            if cursor is None:
                return False

    def _complete(self, asset_id: str, sha256: str) -> AssetView:
        # Safe to repeat: if the first answer was lost, the second returns what the first began.
        body = CompleteAsset(sha256=sha256)
        for attempt in itertools.count(1):
            try:
                return self._connection.ask(AssetView, "POST", f"/v1/assets/{asset_id}/complete", body=body)
            except ConnectionLostError:
                if attempt == COMPLETE_TRIES:
                    raise
                self._sleep(float(attempt))
        raise AssertionError("unreachable")


def file_sha256(path: Path, *, advance: Advance = lambda _: None) -> str:
    """SHA-256 of a file, in lower-case hex; `advance` is called with the bytes of each block read."""
    digest, chunk = hashlib.sha256(), memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        while length := file.readinto(chunk):
            digest.update(chunk[:length])
            advance(length)
    return digest.hexdigest()

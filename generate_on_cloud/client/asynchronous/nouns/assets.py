"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.assets`."""

from collections.abc import AsyncIterator
from pathlib import Path

from generate_on_cloud.client.assets import Assets, Look
from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.part_sender import Advance
from generate_on_cloud.contract.asset_bodies import AssetPage, AssetView, ChangeAsset
from generate_on_cloud.contract.assets import PredictionType


class AsyncAssets:
    def __init__(self, sync: Assets, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def upload(
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
        """Upload a model file and return the active asset. Pass `sha256` of its bytes if you know it."""
        return await self._threads.run(
            self._sync.upload,
            path=path,
            asset_type=asset_type,
            name=name,
            sha256=sha256,
            prediction_type=prediction_type,
            hashing=hashing,
            advance=advance,
            look=look,
            wait=wait,
        )

    async def import_url(
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
        """Have the service download a file. The returned asset is `importing`; `finish` waits for it."""
        return await self._threads.run(
            self._sync.import_url,
            url=url,
            asset_type=asset_type,
            name=name,
            sha256=sha256,
            size=size,
            bearer_token=bearer_token,
            prediction_type=prediction_type,
        )

    async def pause_import(self, asset_id: str) -> AssetView:
        """Pause an import; it keeps what it has, for a week from its beginning."""
        return await self._threads.run(self._sync.pause_import, asset_id=asset_id)

    async def resume_import(self, asset_id: str, url: str, *, bearer_token: str | None = None) -> AssetView:
        """Resume a paused import. URL and token are not stored, so they are sent again."""
        return await self._threads.run(self._sync.resume_import, asset_id=asset_id, url=url, bearer_token=bearer_token)

    async def finish(self, asset: AssetView, *, look: Look = lambda _: None) -> AssetView:
        """Wait until an uploading or importing asset is active."""
        return await self._threads.run(self._sync.finish, asset=asset, look=look)

    async def get(self, asset_id: str) -> AssetView:
        """One asset."""
        return await self._threads.run(self._sync.get, asset_id=asset_id)

    async def with_hash(self, sha256: str) -> list[AssetView]:
        """Active assets with these bytes that the caller may use."""
        return await self._threads.run(self._sync.with_hash, sha256=sha256)

    async def change(self, asset_id: str, change: ChangeAsset) -> AssetView:
        """Rename, describe or tag it, or change who may use it."""
        return await self._threads.run(self._sync.change, asset_id=asset_id, change=change)

    async def apply_yaml(self, path: Path) -> AssetView:
        """Give the checkpoint called like a `.yaml` the prediction type that it says; returns the checkpoint."""
        return await self._threads.run(self._sync.apply_yaml, path=path)

    async def delete(self, asset_id: str) -> AssetView:
        """Delete it, or cancel its upload or import; returns the asset as it was, or with `deleted_until`."""
        return await self._threads.run(self._sync.delete, asset_id=asset_id)

    async def restore(self, asset_id: str) -> AssetView:
        """Make a deleted asset active again, until `deleted_until`."""
        return await self._threads.run(self._sync.restore, asset_id=asset_id)

    async def page(
        self, *, asset_type: str | None = None, deleted: bool = False, limit: int = 100, cursor: str | None = None
    ) -> AssetPage:
        """One page of assets; `deleted`: of those that can be restored."""
        return await self._threads.run(
            self._sync.page, asset_type=asset_type, deleted=deleted, limit=limit, cursor=cursor
        )

    def list(self, *, asset_type: str | None = None, deleted: bool = False) -> AsyncIterator[AssetView]:
        """All assets, or those of one type, fetched page by page; `deleted`: those that can be restored."""
        return self._threads.each(self._sync.list, asset_type=asset_type, deleted=deleted)

"""Model files as people name them: by id or file name."""

import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated

import typer

from generate_on_cloud.cli.completion import asset_names
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, NotFoundError
from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.assets import AssetStatus

AssetName = Annotated[str, typer.Argument(metavar="ASSET", help="Id or file name.", autocompletion=asset_names)]


def find_asset(cloud: GenerateOnCloud, reference: str) -> AssetView:
    """The asset with this id, or the only one with this file name, with or without its extension."""
    called = _called(reference, list(cloud.assets.list()))
    live = [asset for asset in called if asset.status is not AssetStatus.FAILED]
    # Failed uploads and imports may share a name: the newest is meant if nothing else is called so.
    live = live or sorted(called, key=lambda asset: asset.created_at)[-1:]
    if not live:
        raise NotFoundError(f"there is no asset {reference!r}; `goc assets list` shows all")
    if len(live) > 1:
        found = ", ".join(f"{asset.type} {asset.asset_id}" for asset in live)
        raise CloudError(f"{reference!r} matches several assets: {found}; give the id")
    return cloud.assets.get(live[0].asset_id)


def find_deleted(cloud: GenerateOnCloud, reference: str) -> AssetView:
    """The deleted asset with this id, or the one with this file name that was deleted last."""
    called = _called(reference, list(cloud.assets.list(deleted=True)))
    if not called:
        raise NotFoundError(f"there is no deleted asset {reference!r}; `goc assets list --deleted` shows all")
    return max(called, key=lambda asset: asset.deleted_until or asset.created_at)


def _called(reference: str, assets: Sequence[AssetView]) -> list[AssetView]:
    """Those with this id or file name, or else with this name without its extension."""
    reference = unicodedata.normalize("NFC", reference)
    whole = [asset for asset in assets if reference in (asset.asset_id, asset.name)]
    return whole or [asset for asset in assets if reference == PurePosixPath(asset.name).stem]

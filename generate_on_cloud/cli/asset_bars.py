"""Bars of uploads and imports."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from generate_on_cloud.cli.output import errors
from generate_on_cloud.client.assets import Look
from generate_on_cloud.contract.asset_bodies import AssetView


@contextmanager
def asset_bars() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        yield progress


def advancing(progress: Progress, bar: TaskID) -> Callable[[int], None]:
    return lambda sent: progress.advance(bar, sent)


def showing(progress: Progress, bar: TaskID) -> Callable[[int], None]:
    return lambda done: progress.update(bar, advance=done, visible=True)


def naming(progress: Progress, bar: TaskID, name: str) -> Look:
    return lambda asset: progress.update(bar, description=f"{name} {asset.status}")


def looking(progress: Progress, bar: TaskID) -> Look:
    def look(asset: AssetView) -> None:
        done = asset.received if asset.received is not None else asset.size
        progress.update(bar, total=asset.size or None, completed=done, description=f"{asset.name} {asset.status}")

    return look

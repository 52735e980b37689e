"""`goc assets import`, `pause` and `resume`: model files that the service downloads itself."""

from typing import Annotated

import typer
from rich.progress import Progress

from generate_on_cloud.cli.asset_bars import asset_bars, looking
from generate_on_cloud.cli.asset_names import AssetName, find_asset
from generate_on_cloud.cli.asset_options import PredictionOption, TypeOption
from generate_on_cloud.cli.output import AsJson, print_assets
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.asset_bodies import AssetView

Source = Annotated[
    str, typer.Argument(metavar="URL", help="https URL, civitai:MODEL, civitai:MODEL@VERSION, or hf:OWNER/REPO/FILE.")
]
Token = Annotated[
    str | None, typer.Option(metavar="TOKEN", envvar="GOC_SOURCE_TOKEN", help="Bearer token for the source.")
]
Wait = Annotated[bool, typer.Option(help="Wait until the file is uploaded.")]


def import_url(  # noqa: PLR0917 - typer takes them by their options
    url: Source,
    asset_type: TypeOption,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="File name; by default what its source calls it.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Expected SHA-256 of the file.")] = None,
    token: Token = None,
    wait: Wait = True,
    prediction_type: PredictionOption = None,
    as_json: AsJson = False,
) -> None:
    """Import a model file from a URL; the service downloads it."""
    with open_cloud() as cloud, asset_bars() as progress:
        asset = cloud.assets.import_url(
            url, asset_type, name=name, sha256=sha256, bearer_token=token, prediction_type=prediction_type
        )
        if wait:
            asset = _finished(cloud, asset, progress)
    print_assets([asset], as_json=as_json)


def pause(asset: AssetName, as_json: AsJson = False) -> None:
    """Pause an import; what it has stays for a week from its beginning."""
    with open_cloud() as cloud:
        paused = cloud.assets.pause_import(find_asset(cloud, asset).asset_id)
    print_assets([paused], as_json=as_json)


def resume(asset: AssetName, url: Source, *, token: Token = None, wait: Wait = True, as_json: AsJson = False) -> None:
    """Resume a paused import; URL and token are not stored, so give them again."""
    with open_cloud() as cloud, asset_bars() as progress:
        resumed = cloud.assets.resume_import(find_asset(cloud, asset).asset_id, url, bearer_token=token)
        if wait:
            resumed = _finished(cloud, resumed, progress)
    print_assets([resumed], as_json=as_json)


def _finished(cloud: GenerateOnCloud, asset: AssetView, progress: Progress) -> AssetView:
    bar = progress.add_task(asset.name, total=None)
    return cloud.assets.finish(asset, look=looking(progress, bar))

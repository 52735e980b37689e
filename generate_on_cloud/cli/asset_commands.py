"""`goc assets`: upload, import, list, show, change and delete model files."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from generate_on_cloud.cli.completion import asset_names, asset_types, role_names, user_names
from generate_on_cloud.cli.model_types import models_in
from generate_on_cloud.cli.output import AsJson, AsTable, errors, print_assets, print_document, wants_json
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.cli.tables import print_sheet, size
from generate_on_cloud.cli.times import told
from generate_on_cloud.client.assets import Look
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ConnectionLostError, NotFoundError, NotLoggedInError
from generate_on_cloud.client.model_yaml import SUFFIXES as YAML_SUFFIXES
from generate_on_cloud.contract.asset_bodies import AssetView, ChangeAsset
from generate_on_cloud.contract.assets import AssetStatus, AssetType, PredictionType, asset_type_named

app = typer.Typer(help="Model files in the cloud.", no_args_is_help=True)

PredictionOption = Annotated[
    PredictionType | None,
    typer.Option(help="What a checkpoint predicts; by default what the .yaml next to it or the file itself says."),
]
AssetName = Annotated[str, typer.Argument(metavar="ASSET", help="Id or file name.", autocompletion=asset_names)]
TypeOption = Annotated[
    str,
    typer.Option(
        "--type", metavar="TYPE", autocompletion=asset_types, help="checkpoint, vae, lora, … or WebUI's folder name."
    ),
]


@app.command()
def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, or folders of them.", exists=True)],
    asset_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            autocompletion=asset_types,
            help="Omit it: the file's content or its folder's name (WebUI's) shows the type.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until each file is inspected and active.")] = True,
    prediction_type: PredictionOption = None,
    as_json: AsJson = False,
) -> None:
    """Upload model files; one that fails does not stop the others. What a checkpoint's .yaml says is sent along.

    After an interruption, run the same command again: it resumes where it stopped.
    """
    failures: list[tuple[Path, CloudError]] = []
    models, skipped = models_in(files, _declared(asset_type))
    if skipped:
        errors.print(f"{len(skipped)} files are no models and stay: {_some(skipped)}", markup=False)
    with _answering(as_json=as_json) as done, open_cloud() as cloud, _bars() as progress:
        for file, kind in models:
            try:
                done.append(_upload(cloud, file, kind, prediction_type, progress, wait=wait))
            except (ConnectionLostError, NotLoggedInError):
                raise
            except CloudError as error:
                if len(models) == 1:
                    raise
                failures.append((file, error))
        if failures:
            raise _summary(failures, sent=len(done))


def _declared(asset_type: str | None) -> AssetType | None:
    """The type of `--type`, by its own name or WebUI's folder."""
    if asset_type is None:
        return None
    found = asset_type_named(asset_type)
    if found is None:
        raise typer.BadParameter(f"received {asset_type!r}; allowed: {', '.join(AssetType)}", param_hint="--type")
    return found


def _some(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths[:3]]
    return ", ".join([*names, "…"] if len(paths) > len(names) else names)


def _upload(
    cloud: GenerateOnCloud,
    file: Path,
    asset_type: AssetType,
    prediction_type: PredictionType | None,
    progress: Progress,
    *,
    wait: bool,
) -> AssetView:
    if file.suffix in YAML_SUFFIXES and asset_type is AssetType.CHECKPOINT:
        return cloud.assets.apply_yaml(file)
    total = file.stat().st_size
    hashed = progress.add_task(f"{file.name} hashing", total=total, visible=False)
    bar = progress.add_task(file.name, total=total)
    asset = cloud.assets.upload(
        file,
        asset_type,
        prediction_type=prediction_type,
        hashing=_showing(progress, hashed),
        advance=_advancing(progress, bar),
        look=_naming(progress, bar, file.name),
        wait=wait,
    )
    if asset.name != unicodedata.normalize("NFC", file.name):
        errors.print(f"{file.name} is already there as {asset.name}; use that name", markup=False)
    return asset


def _summary(failures: Sequence[tuple[Path, CloudError]], *, sent: int) -> CloudError:
    """One error for all files that failed, of its kind if only one did; it names them."""
    if len(failures) == 1:
        ((file, error),) = failures
        error.prefix = f"1 of {sent + 1} files was not uploaded: {file.name}: "
        return error
    lines = "".join(f"\n  {file.name}: {error}" for file, error in failures)
    return CloudError(f"{len(failures)} of {sent + len(failures)} files were not uploaded:{lines}")


@app.command("import")
def import_url(  # noqa: PLR0917 - typer takes them by their options
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="https URL, civitai:MODEL, civitai:MODEL@VERSION, or hf:OWNER/REPO/FILE."),
    ],
    asset_type: TypeOption,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="File name; by default what its source calls it.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Expected SHA-256 of the file.")] = None,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", envvar="GOC_SOURCE_TOKEN", help="Bearer token for the source.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the file is uploaded.")] = True,
    prediction_type: PredictionOption = None,
    as_json: AsJson = False,
) -> None:
    """Import a model file from a URL; the service downloads it."""
    with open_cloud() as cloud, _bars() as progress:
        asset = cloud.assets.import_url(
            url, asset_type, name=name, sha256=sha256, bearer_token=token, prediction_type=prediction_type
        )
        if wait:
            bar = progress.add_task(asset.name, total=None)
            asset = cloud.assets.finish(asset, look=_looking(progress, bar))
    print_assets([asset], as_json=as_json)


@app.command("list")
def list_assets(
    asset_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Only this type.", autocompletion=asset_types),
    ] = None,
    as_json: AsTable = None,
) -> None:
    """List the assets you may use."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        assets = list(cloud.assets.list(asset_type=asset_type))
    print_assets(assets, as_json=in_json)


@app.command()
def show(asset: AssetName, as_json: AsTable = None) -> None:
    """Show everything about an asset."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        found = _find(cloud, asset)
    if in_json:
        print_document(found)
        return
    fields = found.model_dump(mode="json", exclude={"upload"})
    parts = found.upload.parts if found.upload is not None else []
    arrived = sum(part.size for part in parts if part.received)
    print_sheet(
        {
            **{name.replace("_", " "): value for name, value in fields.items()},
            "size": f"{size(found.size)} ({found.size} bytes)",
            "arrived": f"{size(arrived)} of {size(found.size)}" if parts else None,
            "created at": told(found.created_at),
        }
    )


@app.command()
def update(  # noqa: PLR0917 - typer takes them by their options
    asset: AssetName,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A new file name with the same extension.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="A new description.")] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Its tags, replacing all others; may be repeated.")
    ] = None,
    users: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            metavar="USER",
            help="Only they may use it; replaces the list; may be repeated.",
            autocompletion=user_names,
        ),
    ] = None,
    roles: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="Only they may use it; replaces the list; may be repeated.",
            autocompletion=role_names,
        ),
    ] = None,
    prediction_type: Annotated[
        str | None,
        typer.Option(help="What a checkpoint predicts: epsilon, v_prediction, or automatic."),
    ] = None,
    for_all: Annotated[bool, typer.Option("--for-all", help="Let everyone use it again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rename, describe or tag an asset, or change who may use it; everything else stays as it is."""
    given = {"name": name, "description": description, "tags": tags, "users": users, "roles": roles}
    given["prediction_type"] = prediction_type
    if for_all:
        given |= {"users": [], "roles": []}
    named = {field: value for field, value in given.items() if value is not None}
    if not named:
        raise typer.BadParameter(
            "nothing to change: give one of --name, --description, --tag, --user, --role, --prediction-type, --for-all"
        )
    try:
        change = ChangeAsset.model_validate(named)
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{first['loc'][0]}: {first['msg']}") from error
    with open_cloud() as cloud:
        changed = cloud.assets.change(_find(cloud, asset).asset_id, change)
    print_assets([changed], as_json=as_json)


@app.command()
def rm(
    assets: Annotated[
        list[str], typer.Argument(metavar="ASSET...", help="Ids or file names.", autocompletion=asset_names)
    ],
    as_json: AsJson = False,
) -> None:
    """Delete assets, or cancel uploads and imports in progress; prints the assets as they were."""
    with _answering(as_json=as_json) as done, open_cloud() as cloud:
        for asset in assets:
            done.append(cloud.assets.delete(_find(cloud, asset).asset_id))


def _find(cloud: GenerateOnCloud, reference: str) -> AssetView:
    """The asset with this id, or the only one with this file name, with or without its extension."""
    reference = unicodedata.normalize("NFC", reference)
    assets = list(cloud.assets.list())
    called = [asset for asset in assets if reference in (asset.asset_id, asset.name)]
    called = called or [asset for asset in assets if reference == PurePosixPath(asset.name).stem]
    live = [asset for asset in called if asset.status is not AssetStatus.FAILED] or called
    if not live:
        raise NotFoundError(f"there is no asset {reference!r}; `goc assets list` shows all")
    if len(live) > 1:
        found = ", ".join(f"{asset.type} {asset.asset_id}" for asset in live)
        raise CloudError(f"{reference!r} matches several assets: {found}; give the id")
    return cloud.assets.get(live[0].asset_id)


@contextmanager
def _answering(*, as_json: bool) -> Iterator[list[AssetView]]:
    """Print the assets that were finished, even when an error interrupts the command."""
    done: list[AssetView] = []
    try:
        yield done
    except KeyboardInterrupt:
        errors.print("goc: interrupted; run the same command again to resume")
        raise
    except CloudError as error:
        error.done = {"assets": done}
        if not as_json:
            print_assets(done, as_json=False)
        raise
    print_assets(done, as_json=as_json)


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        yield progress


def _advancing(progress: Progress, bar: TaskID) -> Callable[[int], None]:
    return lambda sent: progress.advance(bar, sent)


def _showing(progress: Progress, bar: TaskID) -> Callable[[int], None]:
    return lambda done: progress.update(bar, advance=done, visible=True)


def _naming(progress: Progress, bar: TaskID, name: str) -> Look:
    return lambda asset: progress.update(bar, description=f"{name} {asset.status}")


def _looking(progress: Progress, bar: TaskID) -> Look:
    def look(asset: AssetView) -> None:
        done = asset.received if asset.received is not None else asset.size
        progress.update(bar, total=asset.size or None, completed=done, description=f"{asset.name} {asset.status}")

    return look

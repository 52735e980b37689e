"""`goc assets`: upload, import, list, show, change, delete and restore model files."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import Progress

from generate_on_cloud.cli.asset_bars import advancing, asset_bars, naming, showing
from generate_on_cloud.cli.asset_names import AssetName, find_asset, find_deleted
from generate_on_cloud.cli.asset_options import AllowedRoles, AllowedUsers, PredictionOption
from generate_on_cloud.cli.completion import asset_names, asset_types
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.import_commands import import_url, pause, resume
from generate_on_cloud.cli.model_types import models_in
from generate_on_cloud.cli.output import (
    NO_ASSETS,
    NO_DELETED,
    AsJson,
    AsTable,
    errors,
    print_assets,
    print_document,
    wants_json,
)
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.cli.tables import print_sheet, size
from generate_on_cloud.cli.times import told
from generate_on_cloud.client.assets import file_sha256
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ConnectionLostError, NotLoggedInError
from generate_on_cloud.client.model_yaml import SUFFIXES as YAML_SUFFIXES
from generate_on_cloud.contract.asset_bodies import AssetView, ChangeAsset
from generate_on_cloud.contract.assets import AssetType, PredictionType, asset_type_named

app = Commands(help="Model files in the cloud.", no_args_is_help=True)


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
    with _answering(as_json=as_json) as done, open_cloud() as cloud, asset_bars() as progress:
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
        hashing=showing(progress, hashed),
        advance=advancing(progress, bar),
        look=naming(progress, bar, file.name),
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


app.command("import")(import_url)
app.command()(pause)
app.command()(resume)


@app.command("list")
def list_assets(
    asset_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Only this type.", autocompletion=asset_types),
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that `goc assets restore` brings back.")] = False,
    as_json: AsTable = None,
) -> None:
    """List the assets you may use."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        assets = list(cloud.assets.list(asset_type=asset_type, deleted=deleted))
    print_assets(assets, as_json=in_json, empty=NO_DELETED if deleted else NO_ASSETS)


@app.command()
def find(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A file on this machine, or a SHA-256; nothing is uploaded.")
    ],
    as_json: AsTable = None,
) -> None:
    """Find the assets with the same bytes, under any name; the file stays here."""
    in_json = wants_json(as_json)
    digest = file.lower()
    if not re.fullmatch("[0-9a-f]{64}", digest):
        digest = file_sha256(Path(file))
    with open_cloud() as cloud:
        print_assets(cloud.assets.with_hash(digest), as_json=in_json, empty=f"No asset has the SHA-256 {digest}.")


@app.command()
def show(asset: AssetName, as_json: AsTable = None) -> None:
    """Show everything about an asset."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        found = find_asset(cloud, asset)
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
    users: AllowedUsers = None,
    roles: AllowedRoles = None,
    prediction_type: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="What a checkpoint predicts: epsilon, v_prediction, or automatic."),
    ] = None,
    trained_words: Annotated[
        list[str] | None,
        typer.Option("--trigger", metavar="WORDS", help="Words that make a network show; replaces all others."),
    ] = None,
    for_all: Annotated[bool, typer.Option("--for-all", help="Let everyone use it again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rename, describe or tag an asset, or change who may use it; everything else stays as it is."""
    given = {"name": name, "description": description, "tags": tags, "users": users, "roles": roles}
    given |= {"prediction_type": prediction_type, "trained_words": trained_words}
    if for_all:
        given |= {"users": [], "roles": []}
    named = {field: value for field, value in given.items() if value is not None}
    if not named:
        raise typer.BadParameter(
            "nothing to change: give one of --name, --description, --tag, --user, --role, --prediction-type, "
            "--trigger, --for-all"
        )
    try:
        change = ChangeAsset.model_validate(named)
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{first['loc'][0]}: {first['msg']}") from error
    with open_cloud() as cloud:
        changed = cloud.assets.change(find_asset(cloud, asset).asset_id, change)
    print_assets([changed], as_json=as_json, for_whom=True)


@app.command()
def rm(
    assets: Annotated[
        list[str], typer.Argument(metavar="ASSET...", help="Ids or file names.", autocompletion=asset_names)
    ],
    as_json: AsJson = False,
) -> None:
    """Delete assets, or cancel uploads and imports in progress; prints the assets as they were."""
    with _answering(as_json=as_json, show=_print_deleted) as done, open_cloud() as cloud:
        for asset in assets:
            found = find_asset(cloud, asset)
            gone = cloud.assets.delete(found.asset_id)
            done.append(gone if gone.deleted_until else found)


def _print_deleted(assets: Sequence[AssetView]) -> None:
    for asset in assets:
        back = f"; until {told(asset.deleted_until)}: goc assets restore {asset.name}" if asset.deleted_until else ""
        typer.echo(f"{asset.name} ({asset.type}) is deleted{back}")


@app.command()
def restore(
    assets: Annotated[list[str], typer.Argument(metavar="ASSET...", help="Ids or file names of deleted assets.")],
    as_json: AsJson = False,
) -> None:
    """Bring deleted assets back under their names; `goc assets list --deleted` shows them."""
    with _answering(as_json=as_json) as done, open_cloud() as cloud:
        for asset in assets:
            done.append(cloud.assets.restore(find_deleted(cloud, asset).asset_id))


def _print_table(assets: Sequence[AssetView]) -> None:
    print_assets(assets, as_json=False)


@contextmanager
def _answering(
    *, as_json: bool, show: Callable[[Sequence[AssetView]], None] = _print_table
) -> Iterator[list[AssetView]]:
    """Print the assets that were finished, even when an error interrupts the command."""
    done: list[AssetView] = []
    try:
        yield done
    except KeyboardInterrupt:
        errors.print("goc: interrupted; run the same command again to resume")
        raise
    except CloudError as error:
        error.done = {"assets": done}
        if done and not as_json:
            show(done)
        raise
    if as_json:
        print_assets(done, as_json=True)
    else:
        show(done)

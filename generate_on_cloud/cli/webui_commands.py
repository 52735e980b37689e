"""`goc webui`: puts the panel into a WebUI's folder of extensions, and takes it out again."""

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsJson, print_document
from generate_on_cloud.client.errors import CloudError

app = Commands(help="The panel inside Stable Diffusion WebUI or Forge.", no_args_is_help=True)
NAME = "generate-on-cloud"
"""The extension's folder in a WebUI."""
SOURCE = Path(__file__).resolve().parents[2] / "webui_extension"
"""In a checkout of the repository; a release has it as a zip."""
PARTS = ("__init__.py", "core", "host", "javascript", "scripts", "style.css")
ENTRY = Path("scripts") / "generate_on_cloud.py"

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The WebUI's folder, the one with `webui.py` in it.")]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="PATH", help="The extension's folder or release zip; default: of this checkout."),
]


@app.command()
def install(folder: Folder, source: From = None, as_json: AsJson = False) -> None:
    """Copy the panel into FOLDER/extensions; restart the WebUI afterwards."""
    target = _place(folder)
    if target.exists():
        raise CloudError(f"{target} exists already; `goc webui update {folder}` replaces it")
    _copy(source, target)
    _tell(folder, as_json=as_json)


@app.command()
def update(folder: Folder, source: From = None, as_json: AsJson = False) -> None:
    """Replace the panel in FOLDER/extensions by this version."""
    target = _place(folder)
    if not _is_ours(target):
        raise CloudError(f"{target} is not there; `goc webui install {folder}` puts it there")
    _copy(source, target)
    _tell(folder, as_json=as_json)


@app.command()
def remove(folder: Folder, as_json: AsJson = False) -> None:
    """Delete the panel from FOLDER/extensions; URL and key stay saved."""
    target = _place(folder)
    if target.is_symlink():
        target.unlink()
    elif _is_ours(target):
        shutil.rmtree(target)
    _tell(folder, as_json=as_json)


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Say whether the panel is installed, and in which version."""
    _tell(folder, as_json=as_json)


def _place(folder: Path) -> Path:
    """Where the extension goes.

    Raises:
        CloudError: the folder is not a WebUI's.
    """
    if not (folder / "webui.py").is_file() or not (folder / "modules").is_dir():
        raise CloudError(f"{folder} is not a WebUI's folder: it has no webui.py next to a folder modules")
    return folder / "extensions" / NAME


def _is_ours(target: Path) -> bool:
    return (target / ENTRY).is_file()


def _copy(source: Path | None, target: Path) -> None:
    """Put the extension at `target`; an older one is replaced in one step, so a failure leaves it as it was."""
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{NAME}-", dir=target.parent) as made:
        new = Path(made) / "new"
        _unpack(source or SOURCE, new)
        if target.is_symlink():
            target.unlink()
        elif target.exists():
            target.rename(Path(made) / "old")
        new.rename(target)


def _unpack(source: Path, new: Path) -> None:
    if source.is_dir() and _is_ours(source):
        for part in PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, new / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                new.mkdir(exist_ok=True)
                shutil.copyfile(source / part, new / part)
        return
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            names = [name for name in archive.namelist() if name.partition("/")[0] == NAME]
            archive.extractall(new.parent, names)
        if _is_ours(new.parent / NAME):
            (new.parent / NAME).rename(new)
            return
    raise CloudError(f"{source} does not hold the extension; name the release's {NAME}.zip with --from")


def _tell(folder: Path, *, as_json: bool) -> None:
    target = _place(folder)
    version = _version(target) if _is_ours(target) else None
    if as_json:
        print_document({"folder": str(target), "version": version})
    else:
        typer.echo(f"{target}: {'not installed' if version is None else f'version {version}'}")


def _version(target: Path) -> str:
    for line in (target / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.partition("=")[2].strip().strip('"')
    return "unknown"

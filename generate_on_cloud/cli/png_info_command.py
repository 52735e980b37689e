"""`goc png-info`: how pictures were made, read from the files themselves."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from generate_on_cloud.cli.output import AsJson, errors, print_document
from generate_on_cloud.cli.picture_files import pictures_in
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.webui.png_info import PngInfo, png_info


def show_png_info(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Pictures, or folders of them.", exists=True)
    ],
    as_json: AsJson = False,
) -> None:
    """Print the infotext inside pictures, as WebUI's PNG Info tab; nothing is sent anywhere."""
    files = pictures_in(pictures)
    found = [_read(path) for path in files]
    if as_json:
        rows = [{"file": str(path), **asdict(info)} for path, info in zip(files, found, strict=True)]
        print_document({"pictures": rows})
        return
    for path, info in zip(files, found, strict=True):
        if len(files) > 1:
            typer.echo(f"{path}:")
        if info.infotext:
            typer.echo(info.infotext)
        else:
            errors.print(f"{path} has no infotext", markup=False)


def _read(path: Path) -> PngInfo:
    try:
        return png_info(path.read_bytes())
    except ValueError as error:
        raise CloudError(f"{path}: {error}") from None

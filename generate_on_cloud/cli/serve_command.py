"""`goc serve`: WebUI's API on this machine, for programs that speak it."""

from pathlib import Path
from typing import Annotated

import typer

from generate_on_cloud.cli.session import chosen
from generate_on_cloud.client.login import find_login, login_file


def serve(
    *,
    port: Annotated[
        int, typer.Option(metavar="N", min=1, max=65535, help="Port; 7860 is what most programs try first.")
    ] = 7860,
    listen: Annotated[bool, typer.Option("--listen", help="Answer other machines too; needs --api-auth.")] = False,
    api_auth: Annotated[
        str | None,
        typer.Option(
            metavar="LOGINS", envvar="GOC_SERVE_AUTH", help="USER:PASSWORD that programs must give; several by commas."
        ),
    ] = None,
    cors_allow_origins: Annotated[
        str | None,
        typer.Option(metavar="URLS", help="Web pages that may ask, such as https://paint.example; several by commas."),
    ] = None,
    styles: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Your styles.csv; read now, merged here."),
    ] = None,
    wake: Annotated[bool, typer.Option("--wake", help="Start the GPU now, with one tiny picture.")] = False,
) -> None:
    """Answer WebUI's API on this machine: Krita, Photoshop, Blender, SillyTavern and scripts then draw in the cloud."""
    # Imported here: the other commands need no web server.
    from generate_on_cloud.serve.server import ServeOptions, read_logins, read_origins
    from generate_on_cloud.serve.server import serve as run
    from generate_on_cloud.webui.prompt.errors import StylesFileError
    from generate_on_cloud.webui.prompt.styles import read_styles

    try:
        options = ServeOptions(
            port=port,
            listen=listen,
            logins=read_logins(api_auth) if api_auth else {},
            origins=read_origins(cors_allow_origins or ""),
            styles=read_styles(styles.read_bytes()) if styles else {},
            wake=wake,
        )
        options.rules  # noqa: B018 - says what contradicts, before anything is opened
    except StylesFileError as error:
        raise typer.BadParameter(f"{styles}: {error}", param_hint="--styles") from error
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    session = chosen()
    login = find_login(profile=session.profile, url=session.url)
    run(login, options, kept=login_file().with_name("serve.json"), say=typer.echo)

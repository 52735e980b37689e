"""The `goc` command: its groups, the options that come before them, and how a call ends."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from typer._completion_shared import get_completion_script

from generate_on_cloud import __version__
from generate_on_cloud.cli.api_command import request
from generate_on_cloud.cli.asset_commands import app as assets_app
from generate_on_cloud.cli.auth_commands import app as auth_app
from generate_on_cloud.cli.auth_commands import login
from generate_on_cloud.cli.config_commands import app as config_app
from generate_on_cloud.cli.console_command import console
from generate_on_cloud.cli.cost_command import app as cost_app
from generate_on_cloud.cli.demo import run_demo
from generate_on_cloud.cli.doctor_command import doctor
from generate_on_cloud.cli.draw_commands import img2img, inpaint, interrogate, txt2img, upscale
from generate_on_cloud.cli.endpoint_commands import app as endpoints_app
from generate_on_cloud.cli.exit_codes import ExitCode, exit_code_of
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.job_commands import app as jobs_app
from generate_on_cloud.cli.key_commands import app as keys_app
from generate_on_cloud.cli.me_commands import app as me_app
from generate_on_cloud.cli.output import AsJson, answers_in_json, begin_answer, errors, print_document, print_failure
from generate_on_cloud.cli.png_info_command import show_png_info
from generate_on_cloud.cli.role_commands import app as roles_app
from generate_on_cloud.cli.serve_command import serve
from generate_on_cloud.cli.session import Session, begin, open_cloud, service_url
from generate_on_cloud.cli.tracing import command_span
from generate_on_cloud.cli.usage_command import usage
from generate_on_cloud.cli.user_commands import app as users_app
from generate_on_cloud.cli.webhook_commands import app as webhooks_app
from generate_on_cloud.cli.webui_commands import app as webui_app
from generate_on_cloud.client.errors import CloudError

ENVIRONMENT = """Environment:

  GOC_URL, GOC_API_KEY: the service and your key; they go before the saved profile.

  GOC_PROFILE: the saved profile to use. GOC_CONFIG: the file with defaults.

  GOC_SOURCE_TOKEN: the token that `goc assets import` sends to the source.

  OTEL_EXPORTER_OTLP_ENDPOINT: where traces go, by OTLP over HTTP; with TRACEPARENT, within that trace.

  XDG_CONFIG_HOME: where profiles and defaults are kept (~/.config). NO_COLOR, FORCE_COLOR, COLUMNS: as everywhere.
"""

app = Commands(
    help="Generate on Cloud: Stable Diffusion jobs on your own cloud.",
    epilog=ENVIRONMENT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(short_help="Draw from a prompt.")(txt2img)
app.command(short_help="Draw from a picture and a prompt.")(img2img)
app.command(short_help="Repaint what a mask covers.")(inpaint)
app.command(short_help="Describe pictures in words or tags.")(interrogate)
app.command(short_help="Enlarge pictures.")(upscale)
app.command("png-info", short_help="Show how pictures were made.")(show_png_info)
app.add_typer(webui_app, name="webui")
app.add_typer(jobs_app, name="jobs")
app.add_typer(assets_app, name="assets")
app.add_typer(endpoints_app, name="endpoints")
app.add_typer(me_app, name="me")
app.add_typer(users_app, name="users")
app.add_typer(roles_app, name="roles")
app.add_typer(keys_app, name="keys")
app.command()(usage)
app.add_typer(webhooks_app, name="webhooks")
app.add_typer(auth_app, name="auth")
app.command(short_help="Save a URL and key: `goc auth login`.")(login)
app.add_typer(config_app, name="config")
app.add_typer(cost_app, name="cost")
app.command(short_help="Check everything that drawing needs, and say what mends it.")(doctor)
app.command(short_help="Open the web console, signed in.")(console)
app.command("api", short_help="Send any request to the API.")(request)
app.command(short_help="Answer WebUI's API on this machine.")(serve)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"goc {__version__}")
        raise typer.Exit


@app.callback()
def root(
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Use this saved profile; GOC_PROFILE too.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Use the service at this URL.")] = None,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Generate on Cloud: Stable Diffusion jobs on your own cloud."""
    begin(Session(profile=profile, url=url))


@app.command("help")
def show_help(
    words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND...", show_default=False)] = None,
) -> None:
    """Show the help of a command."""
    app([*(words or []), "--help"], prog_name="goc")


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    PWSH = "pwsh"


@app.command("completion")
def print_completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh, fish, powershell or pwsh.")],
) -> None:
    """Print a shell's completion script: `eval "$(goc completion bash)"`; `goc --install-completion` installs it."""
    typer.echo(get_completion_script(prog_name="goc", complete_var="_GOC_COMPLETE", shell=shell.value))


@app.command(short_help="Upload a checkpoint and draw with it.")
def demo(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="FILE", help="A checkpoint file to upload and draw with.", exists=True)
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the pictures.")] = Path("demo_output"),
    as_json: AsJson = False,
) -> None:
    """Upload a checkpoint, send img2img and inpaint jobs, and save the pictures."""
    with open_cloud() as cloud:
        console = errors if as_json else Console(highlight=False)
        finished = run_demo(cloud, checkpoint=checkpoint, out=out, console=console)
    if as_json:
        jobs = [
            {"name": done.demo.name, "job_id": done.job.job_id, "seconds": done.seconds,
             "files": [str(path) for path in done.pictures]}
            for done in finished
        ]  # fmt: skip
        print_document({"jobs": jobs})


def main() -> None:
    """Run `goc`. A failure prints one clear line, or in JSON a document, and sets the matching exit code."""
    begin_answer()
    with command_span(sys.argv[1:]):
        _run()


def _run() -> None:
    try:
        app(prog_name="goc")
    except (CloudError, OSError, httpx.InvalidURL) as error:
        print_failure(error, url=service_url())
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        if not answers_in_json():
            errors.print()
        sys.exit(ExitCode.INTERRUPTED)

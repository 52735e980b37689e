"""The `goc` command."""

import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from generate_on_cloud.cli.asset_commands import app as assets_app
from generate_on_cloud.cli.cost_command import app as cost_app
from generate_on_cloud.cli.demo import run_demo
from generate_on_cloud.cli.endpoint_commands import app as endpoints_app
from generate_on_cloud.cli.exit_codes import ExitCode, exit_code_of
from generate_on_cloud.cli.job_commands import app as jobs_app
from generate_on_cloud.cli.output import JSON_OPTION, AsJson, errors, print_document, print_failure
from generate_on_cloud.client.cloud import GenerateOnCloud, open_cloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import Login, keep_login, login_file

app = typer.Typer(help="Generate on Cloud: Stable Diffusion jobs on your own cloud.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")
app.add_typer(assets_app, name="assets")
app.add_typer(endpoints_app, name="endpoints")
app.add_typer(cost_app, name="cost")


@app.command()
def login(
    url: Annotated[str, typer.Option(prompt=True, help="URL of the API, including its stage.")],
    api_key: Annotated[str, typer.Option(prompt=True, hide_input=True, help="Your key, goc_…")],
    as_json: AsJson = False,
) -> None:
    """Save the URL and your key for the other commands."""
    with GenerateOnCloud(url, api_key) as cloud:
        cloud.endpoints.list()  # a wrong key fails now, not at the first job
    path = login_file()
    keep_login(Login(url=url, api_key=api_key), path)
    if as_json:
        print_document({"url": url, "login_file": str(path)})
    else:
        typer.echo(f"logged in to {url}")


@app.command()
def demo(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file to upload and draw with.", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("demo_output"),
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
    """Run `goc`. A failure prints one clear line (with --json also a document) and sets the matching exit code."""
    try:
        app()
    except (CloudError, OSError, httpx.InvalidURL) as error:
        print_failure(error, as_json=JSON_OPTION in sys.argv)
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)

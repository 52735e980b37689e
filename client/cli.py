"""The `goc` command."""

import json
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from client.asset_commands import app as assets_app
from client.cloud import GenerateOnCloud, open_cloud
from client.cost_command import app as cost_app
from client.demo import run_demo
from client.errors import CloudError, ConnectionLostError, ProblemError, TransferError
from client.login import Login, keep_login, login_file
from inference_container.contract.jobs import JobStatus, Task

app = typer.Typer(help="Generate on Cloud: Stable Diffusion jobs on your own cloud.", no_args_is_help=True)
jobs_app = typer.Typer(help="Send jobs and follow them.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")
app.add_typer(assets_app, name="assets")
app.add_typer(cost_app, name="cost")

console = Console(highlight=False)

FAILED = 1
REFUSED = 3
"""The service said no: the same command will not do better."""
NOT_REACHED = 4
"""Network or storage broke off: the same command may succeed, and goes on where it was."""
INTERRUPTED = 130


@app.command()
def login(
    url: Annotated[str, typer.Option(prompt=True, help="URL of the API, ending in its stage.")],
    api_key: Annotated[str, typer.Option(prompt=True, hide_input=True, help="Your key, goc_…")],
) -> None:
    """Keep URL and key for the other commands."""
    with GenerateOnCloud(url, api_key) as cloud:
        cloud.endpoints()  # a wrong key is told now, not at the first job
    keep_login(Login(url=url, api_key=api_key), login_file())
    typer.echo(f"logged in to {url}")


@app.command()
def endpoints() -> None:
    """Endpoints and their status."""
    with open_cloud() as cloud:
        for endpoint in cloud.endpoints():
            typer.echo(f"{endpoint.name}  {endpoint.status}  {endpoint.instance_count} instances")


@app.command()
def demo(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file to upload and draw with.", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("demo_output"),
) -> None:
    """Upload a checkpoint, send img2img and inpaint jobs, save what comes back."""
    with open_cloud() as cloud:
        run_demo(cloud, checkpoint=checkpoint, out=out, console=console)


@jobs_app.command("submit")
def jobs_submit(
    task: Task,
    params: Annotated[typer.FileText, typer.Argument(help="WebUI's request body as JSON; - for standard input.")],
    checkpoint: Annotated[str | None, typer.Option(help="Checkpoint to use: id or file name.")] = None,
) -> None:
    """Send a job and print its id."""
    try:
        body = json.load(params)
    except ValueError as error:
        raise CloudError(f"{params.name} is not JSON: {error}") from error
    with open_cloud() as cloud:
        typer.echo(cloud.jobs.submit(task, body, checkpoint=checkpoint).job_id)


@jobs_app.command("list")
def jobs_list(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    task: Annotated[Task | None, typer.Option()] = None,
    status: Annotated[JobStatus | None, typer.Option()] = None,
) -> None:
    """The history, newest first."""
    with open_cloud() as cloud:
        for job in cloud.jobs.page(limit=limit, task=task, status=status).jobs:
            typer.echo(job.label)


@jobs_app.command("show")
def jobs_show(job_id: str) -> None:
    """A job's whole record as JSON."""
    with open_cloud() as cloud:
        typer.echo(cloud.jobs.get(job_id).model_dump_json(indent=2))


@jobs_app.command("save")
def jobs_save(job_id: str, out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path()) -> None:
    """Wait for a job and download its pictures."""
    with open_cloud() as cloud:
        for path in cloud.jobs.save(cloud.jobs.finish(job_id), out):
            typer.echo(str(path))


@jobs_app.command("cancel")
def jobs_cancel(job_id: str) -> None:
    """Stop a job."""
    with open_cloud() as cloud:
        typer.echo(cloud.jobs.cancel(job_id).label)


def main() -> None:
    """Run `goc`; a failure is one clear line and an exit code that tells its kind (2 is a wrong command line)."""
    try:
        app()
    except (CloudError, OSError, httpx.InvalidURL) as error:
        typer.echo(f"goc: {error}", err=True)
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _exit_code(error: Exception) -> int:
    if isinstance(error, (ConnectionLostError, TransferError)):
        return NOT_REACHED
    return REFUSED if isinstance(error, ProblemError) else FAILED

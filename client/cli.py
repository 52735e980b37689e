"""The `goc` command."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from client.cloud import GenerateOnCloud
from client.cost_command import app as cost_app
from client.demo import run_demo
from client.errors import CloudError
from client.login import Login, find_login, keep_login, login_file
from inference_container.contract.jobs import JobStatus, Task

app = typer.Typer(help="Generate on Cloud: Stable Diffusion jobs on your own cloud.", no_args_is_help=True)
jobs_app = typer.Typer(help="Send jobs and follow them.", no_args_is_help=True)
assets_app = typer.Typer(help="Model files in the cloud.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")
app.add_typer(assets_app, name="assets")
app.add_typer(cost_app, name="cost")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

FAILED = 1
INTERRUPTED = 130


@contextmanager
def _service() -> Iterator[GenerateOnCloud]:
    login = find_login()
    with GenerateOnCloud(login.url, login.api_key) as cloud:
        yield cloud


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
    with _service() as cloud:
        for endpoint in cloud.endpoints():
            typer.echo(f"{endpoint.name}  {endpoint.status}  {endpoint.instance_count} instances")


@app.command()
def demo(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file to upload and draw with.", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("demo_output"),
) -> None:
    """Upload a checkpoint, send img2img and inpaint jobs, save what comes back."""
    with _service() as cloud:
        run_demo(cloud, checkpoint=checkpoint, out=out, console=console)


@assets_app.command("upload")
def assets_upload(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    asset_type: Annotated[str, typer.Option("--type", help="checkpoint, vae, lora, … or WebUI's folder name.")],
) -> None:
    """Upload model files."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with _service() as cloud, Progress(*columns, console=errors) as progress:
        for file in files:
            bar = progress.add_task(file.name, total=file.stat().st_size)
            asset = cloud.assets.upload(
                file,
                asset_type,
                advance=lambda sent, bar=bar: progress.advance(bar, sent),  # type: ignore[misc]
            )
            typer.echo(f"{asset.asset_id}  {asset.type}  {asset.name}")


@assets_app.command("list")
def assets_list(asset_type: Annotated[str | None, typer.Option("--type")] = None) -> None:
    """All assets, or those of one type."""
    with _service() as cloud:
        for asset in cloud.assets.list(asset_type=asset_type):
            typer.echo(f"{asset.asset_id}  {asset.type}  {asset.status}  {asset.size:>12}  {asset.name}")


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
    with _service() as cloud:
        typer.echo(cloud.jobs.submit(task, body, checkpoint=checkpoint).job_id)


@jobs_app.command("list")
def jobs_list(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    task: Annotated[Task | None, typer.Option()] = None,
    status: Annotated[JobStatus | None, typer.Option()] = None,
) -> None:
    """The history, newest first."""
    with _service() as cloud:
        for job in cloud.jobs.page(limit=limit, task=task, status=status).jobs:
            typer.echo(job.label)


@jobs_app.command("show")
def jobs_show(job_id: str) -> None:
    """A job's whole record as JSON."""
    with _service() as cloud:
        typer.echo(cloud.jobs.get(job_id).model_dump_json(indent=2))


@jobs_app.command("save")
def jobs_save(job_id: str, out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path()) -> None:
    """Wait for a job and download its pictures."""
    with _service() as cloud:
        for path in cloud.jobs.save(cloud.jobs.finish(job_id), out):
            typer.echo(str(path))


@jobs_app.command("cancel")
def jobs_cancel(job_id: str) -> None:
    """Stop a job."""
    with _service() as cloud:
        typer.echo(cloud.jobs.cancel(job_id).label)


def main() -> None:
    """Run `goc`; failures are one clear line and exit code 1."""
    try:
        app()
    except (CloudError, OSError, httpx.InvalidURL) as error:
        typer.echo(f"goc: {error}", err=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

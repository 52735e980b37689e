"""`goc jobs`: submit, list, show, watch, save, cancel and retry jobs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.cli.output import AsJson, errors, print_document, print_job
from generate_on_cloud.client.cloud import open_cloud
from generate_on_cloud.client.errors import CloudError, JobNotSucceededError
from generate_on_cloud.contract.job_bodies import CreateJob, JobView
from generate_on_cloud.contract.jobs import JobStatus, Task

app = typer.Typer(help="Send jobs and follow them.", no_args_is_help=True)


@app.command()
def submit(
    task: Task,
    params: Annotated[
        typer.FileText, typer.Argument(encoding="utf-8-sig", help="WebUI's request body as JSON; - for standard input.")
    ],
    checkpoint: Annotated[str | None, typer.Option(help="Checkpoint to use: id or file name.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Endpoint; by default yours, else the least loaded.")] = None,
    *,
    strict: Annotated[bool, typer.Option(help="Refuse what would else be ignored with a warning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a job and print its id; what of the params is ignored goes to standard error."""
    try:
        body = json.load(params)
    except ValueError as error:
        raise CloudError(f"{params.name} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise CloudError(f"{params.name} contains a {type(body).__name__}; allowed: a JSON object")
    with open_cloud() as cloud:
        job = cloud.jobs.submit(
            CreateJob(task=task, params=body, checkpoint=checkpoint, endpoint=endpoint, strict=strict)
        )
        for warning in job.warnings:
            errors.print(f"{warning.pointer}: {warning.message}", markup=False)
        print_job(job, as_json=as_json, text=job.job_id)


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    task: Annotated[Task | None, typer.Option()] = None,
    status: Annotated[JobStatus | None, typer.Option()] = None,
    cursor: Annotated[str | None, typer.Option(help="next_cursor of the previous page.")] = None,
    as_json: AsJson = False,
) -> None:
    """List your jobs, newest first."""
    with open_cloud() as cloud:
        page = cloud.jobs.page(limit=limit, cursor=cursor, task=task, status=status)
    if as_json:
        print_document(page)
        return
    for job in page.jobs:
        typer.echo(job.label)


@app.command()
def show(job_id: str, as_json: AsJson = False) -> None:
    """Show everything about a job, always as JSON; with --json on a single line."""
    with open_cloud() as cloud:
        job = cloud.jobs.get(job_id)
    print_job(job, as_json=as_json, text=job.model_dump_json(indent=2))


@app.command()
def watch(job_id: str, as_json: AsJson = False) -> None:
    """Follow a job until it finishes; with --json, print one JSON document per line at each change."""
    told: JobView | None = None
    with open_cloud() as cloud:
        for job in cloud.jobs.watch(job_id):
            if told is None or _news(job) != _news(told):
                print_job(job, as_json=as_json, text=_line(job))
                told = job
    if told is not None:
        _print_warnings(told)
    if told is not None and told.status is not JobStatus.SUCCEEDED:
        if as_json:
            raise typer.Exit(ExitCode.FAILED)  # the last line says why
        raise JobNotSucceededError(told)


def _print_warnings(job: JobView) -> None:
    """What the job left out, on standard error."""
    for warning in job.result.warnings if job.result is not None else ():
        errors.print(warning, markup=False)


@app.command()
def save(
    job_id: str,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Wait for a job and download its pictures."""
    with open_cloud() as cloud:
        job = cloud.jobs.finish(job_id)
        _print_warnings(job)
        paths = cloud.jobs.save(job, out)
    if as_json:
        print_document({"job_id": job_id, "files": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(str(path))


@app.command()
def cancel(job_id: str, as_json: AsJson = False) -> None:
    """Cancel a job."""
    with open_cloud() as cloud:
        print_job(cloud.jobs.cancel(job_id), as_json=as_json)


@app.command()
def retry(job_id: str, as_json: AsJson = False) -> None:
    """Repeat a finished job as a new one and print its id."""
    with open_cloud() as cloud:
        job = cloud.jobs.retry(job_id)
        print_job(job, as_json=as_json, text=job.job_id)


def _news(job: JobView) -> tuple[object, ...]:
    return (job.status, job.progress)


def _line(job: JobView) -> str:
    progress = job.progress
    if job.starting_since is not None:
        return f"{job.label}  endpoint starting since {job.starting_since:%H:%M:%S} UTC"
    if job.status is not JobStatus.RUNNING or progress is None:
        return job.label
    return f"{job.label}  {progress.phase} {progress.step}/{progress.steps or '?'}"

"""`goc jobs`: submit, list, show, watch, save, cancel, retry and delete jobs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from generate_on_cloud.cli.completion import asset_names, endpoint_names, task_names, user_names
from generate_on_cloud.cli.draw_options import SendOptions, note, read_params
from generate_on_cloud.cli.drawing import Work, draw, request_of
from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.job_bar import job_bar, what_it_does
from generate_on_cloud.cli.job_changes import annotate, cancel, label, retry, rm, skip, star, unstar
from generate_on_cloud.cli.job_names import JobId, job_id_of
from generate_on_cloud.cli.job_views import print_job_sheet, print_jobs, run_seconds
from generate_on_cloud.cli.option_groups import with_options
from generate_on_cloud.cli.output import AsJson, AsTable, errors, print_document, wants_json
from generate_on_cloud.cli.session import defaults, open_cloud
from generate_on_cloud.cli.tables import Column, print_table
from generate_on_cloud.cli.times import read_time, seconds, short, zone
from generate_on_cloud.client.errors import CloudError, JobNotSucceededError
from generate_on_cloud.client.job_filters import JobFilters
from generate_on_cloud.client.picture_names import DEFAULT_PATTERN, check_pattern, names_by
from generate_on_cloud.contract.job_bodies import JobPage, JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus, Task

app = Commands(help="Send jobs and follow them.", no_args_is_help=True)


def read_task(text: str) -> Task:
    """The task, spelled with dashes or underscores."""
    try:
        return Task(text.replace("-", "_"))
    except ValueError:
        allowed = ", ".join(task_names(""))
        raise typer.BadParameter(f"received {text!r}; allowed: {allowed}") from None


def _read_moment(text: str) -> str:
    try:
        return read_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


TaskArgument = Annotated[
    Any, typer.Argument(metavar="TASK", parser=read_task, help="txt2img, img2img, …", autocompletion=task_names)
]
TaskOption = Annotated[
    Any, typer.Option(metavar="TASK", parser=read_task, help="Only this task.", autocompletion=task_names)
]
TIME_HELP = "2026-11-30 or 2026-11-30T12:00, your time zone."


@app.command()
@with_options(send=SendOptions)
def submit(
    task: TaskArgument,
    params: Annotated[
        typer.FileText,
        typer.Argument(metavar="FILE", encoding="utf-8-sig", help="WebUI's request as JSON; - for standard input."),
    ],
    *,
    send: SendOptions,
    as_json: AsJson = False,
) -> None:
    """Send a job from a file with WebUI's request and print its id; what of it is ignored goes to standard error."""
    body = read_params(params.read(), params.name)
    work = Work(label=params.name, request=request_of(task, send, {**defaults().params, **body}))
    draw([work], send, as_json=as_json, alone=True)


@app.command("list")
def list_jobs(
    *,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Jobs of one page.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Every page.")] = False,
    task: TaskOption = None,
    status: Annotated[JobStatus | None, typer.Option(help="Only this status.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this endpoint.", autocompletion=endpoint_names)
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(metavar="USER", help="Another user's jobs; needs inference:all.", autocompletion=user_names),
    ] = None,
    created_from: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", parser=_read_moment, help="Created at this time or later; " + TIME_HELP),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option("--to", metavar="TIME", parser=_read_moment, help="Created before this time.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Uses this model file.", autocompletion=asset_names)
    ] = None,
    search: Annotated[str | None, typer.Option(metavar="WORDS", help="Words that the prompt contains.")] = None,
    label: Annotated[str | None, typer.Option(metavar="TEXT", help="Part of the label.")] = None,
    starred: Annotated[bool, typer.Option("--starred", help="Only starred jobs.")] = False,
    metadata: Annotated[str | None, typer.Option(metavar="NAME=VALUE", help="Has this note.")] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    cursor: Annotated[str | None, typer.Option(metavar="TEXT", help="next_cursor of the previous page.")] = None,
    as_json: AsTable = None,
) -> None:
    """List your jobs, newest first. With filters a page may be short or empty although there are more."""
    in_json = wants_json(as_json)
    filters = JobFilters(
        task=task, status=status, endpoint=endpoint, owner=owner,
        created_from=created_from, created_before=created_before, model=model, q=search, label=label,
        starred=True if starred else None, metadata=note(metadata) if metadata else None,
        sort="oldest" if oldest else None,
    )  # fmt: skip
    with open_cloud() as cloud:
        if everything:
            page = JobPage(jobs=list(cloud.jobs.list(**filters)), next_cursor=None)
        else:
            page = cloud.jobs.page(limit=limit, cursor=cursor, **filters)
    if in_json:
        print_document(page)
        return
    narrowed = any(value is not None for value in filters.values())
    print_jobs(
        page.jobs, empty="No job matches." if narrowed else 'There are no jobs yet; `goc txt2img "…"` sends one.'
    )
    if page.next_cursor is not None:
        errors.print(f"more: --all, or --limit and --cursor {page.next_cursor}", markup=False, soft_wrap=True)


@app.command()
def show(job_id: JobId, as_json: AsTable = None) -> None:
    """Show a job: what it does or made, how long it took, or why it failed."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        job = cloud.jobs.get(job_id_of(cloud, job_id))
    if in_json:
        print_document(job)
    else:
        print_job_sheet(job)


@app.command()
def watch(job_id: JobId, as_json: AsJson = False) -> None:
    """Follow a job with a bar until it finishes; with --json, print one JSON document per line at each change."""
    last: JobView | None = None
    with open_cloud() as cloud, job_bar(1) as bar:
        for job in cloud.jobs.watch(job_id_of(cloud, job_id)):
            bar.show(job)
            if as_json and (last is None or _news(job) != _news(last)):
                print_document(job)
            elif not as_json and not errors.is_terminal and (last is None or what_it_does(job) != what_it_does(last)):
                errors.print(what_it_does(job), markup=False)
            last = job
    if last is None:
        return
    _print_warnings(last)
    if last.status is not JobStatus.SUCCEEDED:
        if as_json:
            raise typer.Exit(ExitCode.FAILED)  # the last line says why
        raise JobNotSucceededError(last)
    if not as_json:
        took = run_seconds(last)
        typer.echo(f"{last.job_id} succeeded" + (f" in {seconds(took)} s" if took is not None else ""))


@app.command()
def save(
    job_id: JobId,
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the pictures; default: this one.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="File names by WebUI's patterns; [seed]-[prompt_spaces].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Wait for a job and download its pictures."""
    pattern = name or defaults().name or DEFAULT_PATTERN
    try:
        check_pattern(pattern)
    except ValueError as error:
        raise CloudError(str(error)) from None
    with open_cloud() as cloud:
        whole = job_id_of(cloud, job_id)
        job = cloud.jobs.get(whole)
        if job.status not in TERMINAL:
            with job_bar(1) as bar:
                for job in cloud.jobs.watch(whole):
                    bar.show(job)
        _print_warnings(job)
        if job.status is not JobStatus.SUCCEEDED:
            raise JobNotSucceededError(job)
        paths = cloud.jobs.save(job, out or defaults().out or Path(), name=names_by(pattern, job))
    if as_json:
        print_document({"job_id": whole, "files": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(str(path))


for change in (cancel, skip, retry, label, star, unstar, rm):
    app.command()(change)
app.command("note")(annotate)


@app.command()
def deliveries(job_id: JobId, as_json: AsTable = None) -> None:
    """List the attempts to deliver a job's webhook."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        found = cloud.webhooks.deliveries(job_id_of(cloud, job_id))
    if in_json:
        print_document(found)
        return
    columns = (
        Column("attempt", number=True), Column(f"time ({zone()})"), Column("status"), Column("outcome"),
        Column("reason", wide=True),
    )  # fmt: skip
    rows = [
        (str(one.attempt), short(one.at), str(one.status or ""), one.outcome, one.error or "")
        for one in found.deliveries
    ]
    print_table(columns, rows, empty="The job has no webhook." if found.webhook is None else "No attempt was made yet.")


def _print_warnings(job: JobView) -> None:
    """What the job left out, on standard error."""
    for warning in job.result.warnings if job.result is not None else ():
        errors.print(warning, markup=False)


def _news(job: JobView) -> tuple[object, ...]:
    return (job.status, job.progress)

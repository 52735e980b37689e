"""`goc jobs cancel`, `skip`, `retry`, `label`, `note`, `star`, `unstar`, `rm`: what can be done to jobs that exist."""

from collections.abc import Sequence
from typing import Annotated

import typer

from generate_on_cloud.cli.completion import job_ids
from generate_on_cloud.cli.draw_options import note
from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.cli.job_names import JobId, JobIds, job_id_of
from generate_on_cloud.cli.output import AsJson, errors, print_document, print_job
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.contract.job_bodies import JobView, PatchJob, RefusedJob
from generate_on_cloud.contract.jobs import JobStatus


def cancel(
    job_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="JOB...", help="Ids, their last characters, or `last`.", autocompletion=job_ids),
    ] = None,
    *,
    waiting: Annotated[bool, typer.Option("--waiting", help="All your jobs that wait.")] = False,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="With --waiting: all users'; needs inference:all.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs: at once if they wait, at their next step if they run."""
    if waiting == bool(job_ids) or (everyone and not waiting):
        raise typer.BadParameter("give ids, or --waiting")
    if waiting:
        with open_cloud() as cloud:
            done = cloud.jobs.cancel_waiting(everyone=everyone)
        _print_done(done.canceled, done.refused, "canceled", as_json=as_json)
        return
    with open_cloud() as cloud:
        jobs = [cloud.jobs.cancel(job_id_of(cloud, one)) for one in job_ids or []]
    _print_each(jobs, as_json=as_json)


def skip(job_id: JobId, as_json: AsJson = False) -> None:
    """End the batch that a running job draws now, as WebUI's Skip; the next one begins."""
    with open_cloud() as cloud:
        job = cloud.jobs.skip(job_id_of(cloud, job_id))
    print_job(job, as_json=as_json)


def retry(
    job_id: JobId,
    *,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Another seed; -1: a random one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Repeat a finished job as a new one and print its id."""
    with open_cloud() as cloud:
        job = cloud.jobs.retry(job_id_of(cloud, job_id), seed=seed)
    print_job(job, as_json=as_json, text=job.job_id)


def label(
    job_id: JobId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The new label; an empty text removes it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Name a job."""
    _change([job_id], PatchJob(label=text), as_json=as_json)


def annotate(
    job_id: JobId,
    notes: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Notes; one of the same name is replaced.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Add notes to a job, which lists can filter by."""
    metadata = {name: str(value) for name, value in map(note, notes)}
    _change([job_id], PatchJob(metadata=metadata), as_json=as_json)


def star(job_ids: JobIds, as_json: AsJson = False) -> None:
    """Mark jobs with a star."""
    _change(job_ids, PatchJob(starred=True), as_json=as_json)


def unstar(job_ids: JobIds, as_json: AsJson = False) -> None:
    """Take the star away."""
    _change(job_ids, PatchJob(starred=False), as_json=as_json)


def rm(job_ids: JobIds, as_json: AsJson = False) -> None:
    """Delete finished jobs for good, with their pictures."""
    with open_cloud() as cloud:
        whole = [job_id_of(cloud, one) for one in job_ids]
        answers = [cloud.jobs.delete_all(whole[start : start + 50]) for start in range(0, len(whole), 50)]
    deleted = [one for answer in answers for one in answer.deleted]
    refused = [one for answer in answers for one in answer.refused]
    _print_done(deleted, refused, "deleted", as_json=as_json)


def _print_done(done: Sequence[str], refused: Sequence[RefusedJob], verb: str, *, as_json: bool) -> None:
    if as_json:
        print_document({verb: list(done), "refused": list(refused)})
    else:
        for one in done:
            typer.echo(one)
        for no in refused:
            errors.print(f"{no.job_id}: {no.detail}", markup=False)
    if refused:
        raise typer.Exit(ExitCode.CONFLICT)


def _change(job_ids: Sequence[str], change: PatchJob, *, as_json: bool) -> None:
    with open_cloud() as cloud:
        jobs = [cloud.jobs.change(job_id_of(cloud, one), change) for one in job_ids]
    _print_each(jobs, as_json=as_json)


def _print_each(jobs: Sequence[JobView], *, as_json: bool) -> None:
    if as_json:
        print_document(jobs[0] if len(jobs) == 1 else {"jobs": list(jobs)})
        return
    for job in jobs:
        asked = " (asked to stop)" if job.cancel_requested and job.status is JobStatus.RUNNING else ""
        typer.echo(f"{job.job_id} {job.status}{asked}")

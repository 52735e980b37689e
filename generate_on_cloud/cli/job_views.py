"""Jobs for people: the table of a list and the sheet of one job."""

from collections.abc import Sequence

from generate_on_cloud.cli.job_bar import what_it_does
from generate_on_cloud.cli.job_names import SHORT
from generate_on_cloud.cli.tables import Column, console, print_sheet, print_table
from generate_on_cloud.cli.times import seconds, short, told, zone
from generate_on_cloud.contract.job_bodies import JobSummary, JobView
from generate_on_cloud.contract.jobs import Task

WIDE = 120
"""Columns of a terminal that has room for whole ids."""
TASK_WORDS = {
    Task.INTERROGATE_CLIP: "interrogate", Task.INTERROGATE_DEEPBOORU: "deepbooru", Task.EXTRA_SINGLE_IMAGE: "upscale",
    Task.EXTRA_BATCH_IMAGES: "upscale",
}  # fmt: skip


def print_jobs(jobs: Sequence[JobSummary], *, empty: str) -> None:
    """A table of jobs; ids are cut to their ends where the terminal is narrow."""
    whole = console().width >= WIDE
    columns = (
        Column("id"), Column(f"created ({zone()})"), Column("task"), Column("status"), Column("seconds", number=True),
        Column("model", wide=True), Column("label or prompt", wide=True),
    )  # fmt: skip
    rows = [
        (
            job.job_id if whole else job.job_id[-SHORT:],
            short(job.created_at),
            TASK_WORDS.get(job.task, job.task),
            str(job.status),
            seconds(run_seconds(job)),
            (job.checkpoint or "").rpartition(".")[0] or (job.checkpoint or ""),
            ("★ " if job.starred else "") + (job.label or job.prompt),
        )
        for job in jobs
    ]
    print_table(columns, rows, empty=empty)


def run_seconds(job: JobSummary) -> float | None:
    """How long it ran; None while it has not finished."""
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()


def print_job_sheet(job: JobView) -> None:
    """Everything a person asks about one job; what is long or signed is only in `--json`."""
    result = job.result
    pictures = [
        f"{number}: {image.width}x{image.height} {image.format}, seed {image.seed}" for number, image in
        enumerate(result.images if result else [])
    ]  # fmt: skip
    print_sheet(
        {
            "job": job.job_id,
            "label": ("★ " if job.starred else "") + job.label,
            "status": str(job.status),
            "doing": what_it_does(job) if job.finished_at is None and job.status != what_it_does(job) else None,
            "task": TASK_WORDS.get(job.task, job.task),
            "reason": f"{job.error.code}: {job.error.message}" if job.error else None,
            "checkpoint": job.checkpoint,
            "other files": [f"{model.type} {model.name}" for model in job.models if model.name != job.checkpoint],
            "endpoint": job.endpoint,
            "created": told(job.created_at),
            "started": told(job.started_at),
            "finished": told(job.finished_at),
            "waited": f"{seconds(job.queued_seconds)} s" if job.queued_seconds is not None else None,
            "ran": f"{seconds(job.run_seconds)} s" if job.run_seconds is not None else None,
            "retry of": job.retry_of,
            "notes": [f"{name}={value}" for name, value in job.metadata.items()],
            "warnings": "\n".join([f"{one.pointer}: {one.message}" for one in job.warnings]),
            "left out": "\n".join(result.warnings) if result else None,
            "prompt": job.prompt if not (result and result.images) else None,
            "caption": result.caption if result else None,
            "pictures": "\n".join(pictures),
            "infotext": next((image.infotext for image in result.images), None) if result else None,
        }
    )
    if result and result.images:
        console().print(f"\n`goc jobs save {job.job_id}` downloads the pictures.", soft_wrap=True, markup=False)

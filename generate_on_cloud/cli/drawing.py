"""Sends the jobs of one command, follows them with one bar, and saves what they made."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from generate_on_cloud.cli.draw_options import SendOptions
from generate_on_cloud.cli.job_bar import JobBar, job_bar
from generate_on_cloud.cli.output import errors, print_document, wants_json
from generate_on_cloud.cli.previews import Preview
from generate_on_cloud.cli.rehearsals import rehearsal_lines
from generate_on_cloud.cli.session import defaults, open_cloud
from generate_on_cloud.cli.words import faults_in
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ConnectionLostError, JobNotSucceededError, ProblemError
from generate_on_cloud.client.picture_names import DEFAULT_PATTERN, check_pattern, names_by
from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob, JobView
from generate_on_cloud.contract.jobs import JobStatus, Task


@dataclass
class Work:
    """One job of a command, and what became of it."""

    label: str
    """What the user gave: a file or a prompt."""
    request: CreateJob
    called: str | Sequence[str] | None = None
    """Name of its files, without number and extension, or the names of each; None: by the pattern."""
    pictures: Mapping[str, Path] = field(default_factory=dict)
    """The user's files in the request, by JSON pointer."""
    job: JobView | None = None
    files: list[Path] = field(default_factory=list)
    error: CloudError | None = None


def request_of(task: Task, send: SendOptions, params: dict[str, Any]) -> CreateJob:
    """The body of `POST /v1/jobs`.

    Raises:
        CloudError: an option is out of range.
    """
    try:
        return send.job(task, params, defaults())
    except ValidationError as error:
        raise CloudError(faults_in(error)) from None


def draw(works: Sequence[Work], send: SendOptions, *, as_json: bool, alone: bool = False) -> None:
    """Send every job, wait for them and save the pictures as the options say, and print the results.

    `alone`: in JSON the one job itself, without the list around it. A dry run answers in JSON wherever standard output
    is no terminal: it has no id or path that a script could take from a line.

    Raises:
        CloudError: a job was refused or did not succeed; the others went on.
    """
    as_json = as_json or (send.dry_run and wants_json(None))
    pattern = send.name or defaults().name or DEFAULT_PATTERN
    try:
        check_pattern(pattern)
    except ValueError as error:
        raise CloudError(str(error)) from None
    folder = send.folder(defaults())
    with open_cloud() as cloud:
        _submit_all(cloud, works, send)
        sent = [work for work in works if work.job is not None]
        if send.waits and sent:
            _finish_all(cloud, sent, send, folder, pattern)
    _answer(works, send, as_json=as_json, alone=alone)


def _submit_all(cloud: GenerateOnCloud, works: Sequence[Work], send: SendOptions) -> None:
    told: set[str] = set()
    for number, work in enumerate(works):
        key = send.idempotency_key
        try:
            work.job = cloud.jobs.submit(
                work.request, idempotency_key=key if key is None or len(works) == 1 else f"{key}-{number}"
            )
        except ConnectionLostError:
            raise
        except CloudError as error:
            error.prefix = _faulty_files(work, error, alone=len(works) == 1)
            work.error = error
            continue
        for warning in work.job.warnings:
            line = f"{warning.pointer}: {warning.message}"
            if line not in told:
                errors.print(line, markup=False)
            told.add(line)


def _faulty_files(work: Work, error: CloudError, *, alone: bool) -> str:
    """Which of the user's pictures an error is about, in front of its text; of several jobs, the label names the first.

    The service knows pictures by their place in the request, and a person by their files.
    """
    faulty: list[Path] = []
    if isinstance(error, ProblemError):
        pointers = [fault.pointer for fault in error.problem.errors]
        faulty = [path for place, path in work.pictures.items() if any(_is_at(place, one) for one in pointers)]
    elif isinstance(error, JobNotSucceededError) and error.job.error and error.job.error.code is JobErrorCode.BAD_IMAGE:
        faulty = list(work.pictures.values())
    named = [str(path) for path in faulty if alone or not work.label.startswith(path.name)]
    return f"{', '.join(named)}: " if named else ""


def _is_at(place: str, pointer: str) -> bool:
    return pointer == place or pointer.startswith(f"{place}/")


def _finish_all(
    cloud: GenerateOnCloud, works: Sequence[Work], send: SendOptions, folder: Path | None, pattern: str
) -> None:
    with job_bar(len(works)) as bar:
        for number, work in enumerate(works):
            try:
                _finish(cloud, work, bar, Preview(bar) if send.preview else None)
                if folder is not None and work.job is not None and work.job.result and work.job.result.images:
                    work.files = cloud.jobs.save(work.job, folder, name=_names(work.job, work.called, pattern))
            except KeyboardInterrupt:
                open_ids = " ".join(left.job.job_id for left in works[number:] if left.job)
                errors.print(f"still going on in the cloud; to stop: goc jobs cancel {open_ids}", markup=False)
                raise
            except JobNotSucceededError as error:
                error.prefix = _faulty_files(work, error, alone=len(works) == 1)
                work.error = error


def _names(job: JobView, called: str | Sequence[str] | None, pattern: str) -> Callable[[int], str]:
    """Names of the job's pictures by number; of a source's name only where there is one picture."""
    if called is None:
        return names_by(pattern, job)
    if not isinstance(called, str):
        return lambda number: called[number]
    one = job.result is not None and len(job.result.images) == 1
    return lambda number: called if one else f"{called}-{number}"


def _finish(cloud: GenerateOnCloud, work: Work, bar: JobBar, preview: Preview | None) -> None:
    """Follow a job to its end.

    Raises:
        JobNotSucceededError: it failed, was canceled or expired.
    """
    if work.job is None:
        return
    for job in cloud.jobs.watch(work.job.job_id):
        work.job = job
        bar.show(job)
        if preview is not None:
            preview.show(cloud, job)
    for warning in work.job.result.warnings if work.job.result else ():
        errors.print(warning, markup=False)
    if work.job.status is not JobStatus.SUCCEEDED:
        raise JobNotSucceededError(work.job)


def _answer(works: Sequence[Work], send: SendOptions, *, as_json: bool, alone: bool) -> None:
    failed = [work for work in works if work.error is not None]
    if as_json:
        rows = [
            {**work.job.model_dump(mode="json", exclude={"upload"}), "files": [str(path) for path in work.files]}
            for work in works
            if work.job is not None
        ]
        if not failed:
            print_document(rows[0] if alone else {"jobs": rows})
        for work in failed:
            if work.error is not None:
                work.error.done = {"jobs": rows}
    else:
        for work in works:
            for line in _lines(work, send):
                typer.echo(line)
        _say_how_to_save(works, send)
    if failed:
        raise _summary(failed, len(works))


def _say_how_to_save(works: Sequence[Work], send: SendOptions) -> None:
    """How to get the pictures of jobs that were sent without `--save`; only at a terminal."""
    drawn = [work.job.job_id for work in works if work.job and work.error is None and not _says_text(work.job)]
    if send.dry_run or not sys.stdout.isatty() or not drawn or any(work.files for work in works):
        return
    which = "last" if len(works) == 1 else "ID"
    errors.print(f"`goc jobs save {which}` waits for the pictures and saves them; so does --save FOLDER", markup=False)


def _says_text(job: JobView) -> bool:
    return job.task in (Task.INTERROGATE_CLIP, Task.INTERROGATE_DEEPBOORU)


def _lines(work: Work, send: SendOptions) -> list[str]:
    if work.job is None or work.error is not None:
        return []
    if work.files:
        return [str(path) for path in work.files]
    if work.job.result is not None and work.job.result.caption is not None:
        return [work.job.result.caption]
    if send.dry_run:
        return rehearsal_lines(work.label, work.job)
    return [f"{work.job.job_id} {work.job.status}" if send.waits else work.job.job_id]


def _summary(failed: Sequence[Work], count: int) -> CloudError:
    """One error for all jobs that failed; of its kind if only one did."""
    error = failed[0].error or CloudError("no reason given")
    if count == 1:
        return error
    if len(failed) == 1:
        error.prefix = f"1 of {count} jobs did not succeed: {failed[0].label}: "
        return error
    lines = "".join(f"\n  {work.label}: {work.error}" for work in failed)
    summary = CloudError(f"{len(failed)} of {count} jobs did not succeed:{lines}")
    summary.done = error.done
    return summary

"""One bar for the jobs of a command: which is drawn, how far it is, and what it waits for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from generate_on_cloud.cli.output import errors
from generate_on_cloud.cli.times import seconds
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus


class _Bar(Progress):
    """A bar with a picture above it while there is one."""

    picture: Text | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.picture is not None:
            yield self.picture
        yield from super().get_renderables()


class JobBar:
    """The bar; one job is the whole of it, or an equal share among several."""

    def __init__(self, progress: _Bar, jobs: int) -> None:
        self._progress, self._jobs, self._done = progress, jobs, 0
        self._bar = progress.add_task("sending", total=None)

    def show(self, job: JobView) -> None:
        """Move the bar to where this job is."""
        title = self._title(job)
        if job.status in TERMINAL:
            self._done += 1
            self._progress.update(self._bar, total=self._jobs, completed=self._done, description=title)
            return
        share = share_done(job)
        total = None if share == 0 and self._done == 0 else self._jobs
        self._progress.update(self._bar, total=total, completed=self._done + share, description=title)

    def picture(self, picture: Text | None) -> None:
        """Show a picture above the bar in place of the last one; None: none."""
        self._progress.picture = picture

    def _title(self, job: JobView) -> str:
        place = f"{self._done + 1}/{self._jobs} " if self._jobs > 1 else ""
        return place + what_it_does(job)


@contextmanager
def job_bar(jobs: int) -> Iterator[JobBar]:
    """A bar on standard error for this number of jobs."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with _Bar(*columns, console=errors) as progress:
        yield JobBar(progress, jobs)


def share_done(job: JobView) -> float:
    """How much of the job's steps are done, 0 to 1."""
    if job.status is not JobStatus.RUNNING or job.progress is None or not job.progress.steps:
        return 0.0
    return min(1.0, job.progress.step / job.progress.steps)


def what_it_does(job: JobView) -> str:
    """What the job does or waits for, in a few words."""
    if job.starting_since is not None:
        return "the endpoint is starting"
    if job.status is JobStatus.QUEUED and job.queue is not None:
        eta = f", about {seconds(job.queue.eta_seconds)} s" if job.queue.eta_seconds is not None else ""
        return f"queued, {job.queue.ahead} ahead{eta}" if job.queue.ahead else f"queued{eta}"
    if job.status is JobStatus.RUNNING and job.progress is not None:
        phase = job.progress.phase.replace("_", " ")
        return f"{phase} {job.progress.step}/{job.progress.steps}" if job.progress.steps else phase
    return str(job.status)

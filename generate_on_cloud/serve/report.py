"""What the terminal shows of each job: what it is, what was dropped from it, how long it took, what it cost."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.serve.work import Work

_MANY = 12
"""Dropped names that one line shows."""


class JobReport:
    """Prints a line when a job was sent and one when it has ended; called in the jobs' threads."""

    def __init__(self, say: Callable[[str], None], *, price_per_hour: float | None) -> None:
        self._say = say
        self._price = price_per_hour

    def __call__(self, work: Work) -> None:
        """Say what there is to say about the work now."""
        self._say(f"{datetime.now():%H:%M:%S}  {self._line(work)}")

    def _line(self, work: Work) -> str:
        job, order = work.job, work.order
        if job is None:
            return f"{order.task if order else 'job'} was refused: {work.error}"
        if not work.has_ended and order is not None:
            dropped = [fault.pointer.lstrip("/") for fault in order.dropped]
            ignored = f"; ignored as in WebUI: {', '.join(dropped[:_MANY])}" if dropped else ""
            return f"{job.job_id}  {order.task} {_what(order.params)}{job.checkpoint or ''}{ignored}"
        if work.error is not None:
            return f"{job.job_id}  lost: {work.error}"
        if job.status is not JobStatus.SUCCEEDED:
            return f"{job.job_id}  {job.status}{f': {job.error.message}' if job.error else ''}{self._cost(work)}"
        return f"{job.job_id}  done{self._cost(work)}"

    def _cost(self, work: Work) -> str:
        seconds = work.job.run_seconds if work.job else None
        if seconds is None:
            return ""
        if self._price is None:
            return f", {seconds:.1f} s of GPU"
        return f", {seconds:.1f} s of GPU, about ${seconds * self._price / 3600:.4f}"


def _what(params: Mapping[str, Any]) -> str:
    if "prompt" not in params and "steps" not in params:
        return ""
    pictures = _whole(params.get("batch_size")) * _whole(params.get("n_iter"))
    size = f"{params.get('width', 512)}x{params.get('height', 512)}"
    return f"{size}, {params.get('steps', 50)} steps, {pictures} picture{'s' if pictures > 1 else ''}, "


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1

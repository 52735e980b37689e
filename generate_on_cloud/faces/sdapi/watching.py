"""`progress`, `/internal/progress` and `/internal/pending-tasks`: what a client that polls sees of a job."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobPhase, JobStatus

_TEXTS: Mapping[JobPhase, str] = {
    JobPhase.FETCHING_MODELS: "Fetching the model files",
    JobPhase.LOADING_MODELS: "Loading the model",
    JobPhase.DECODING: "Decoding",
    JobPhase.SAVING: "Saving",
}
NO_PREVIEW = -1
_BEGUN = 0.01
"""WebUI's progress of a job that has just begun: clients read 0 as idle."""


@dataclass(frozen=True)
class Watched:
    """A job of the caller, as it was last seen."""

    job: JobView | None
    """None: it is on its way to the cloud."""
    batches: int = 1
    """`n_iter`."""
    steps: int = 0
    """Of one batch, as requested."""
    preview: bytes | None = None


def progress_document(watched: Watched | None, *, now: datetime, with_image: bool = True) -> dict[str, Any]:
    """`GET /sdapi/v1/progress`; None: nothing runs."""
    if watched is None or _has_ended(watched.job):
        return {"progress": 0.0, "eta_relative": 0.0, "state": _state(), "current_image": None, "textinfo": None}
    image = watched.preview if with_image else None
    return {
        "progress": fraction(watched.job),
        "eta_relative": eta(watched.job, now=now),
        "state": _state(watched),
        "current_image": None if image is None else base64.b64encode(image).decode("ascii"),
        "textinfo": text(watched.job),
    }


def internal_document(
    watched: Watched | None, *, known: bool, now: datetime, live_preview: bool, seen: int = NO_PREVIEW
) -> dict[str, Any]:
    """`/internal/progress` of one task.

    Args:
        watched: None: the task has ended, or there is none of this name.
        known: whether one of this name was sent.
        now: for what is left of it.
        live_preview: whether the client wants a picture.
        seen: number of the picture that the client has; it is not sent again.
    """
    if watched is None or _has_ended(watched.job):
        said = {"active": False, "queued": False, "completed": known, "progress": None, "eta": None}
        return {
            **said,
            "live_preview": None,
            "id_live_preview": NO_PREVIEW,
            "textinfo": None if known else "Waiting...",
        }
    job, queued = watched.job, watched.job is None or watched.job.status is not JobStatus.RUNNING
    number = job.progress.previews if job and job.progress else NO_PREVIEW
    shown = watched.preview if live_preview and number != seen else None
    return {
        "active": not queued,
        "queued": queued,
        "completed": False,
        "progress": fraction(job),
        "eta": eta(job, now=now),
        "live_preview": None if shown is None else f"data:image/jpeg;base64,{base64.b64encode(shown).decode()}",
        "id_live_preview": number,
        "textinfo": text(job),
    }


def fraction(job: JobView | None) -> float:
    """Between 0.01 and 1."""
    done = job.progress.step / job.progress.steps if job and job.progress and job.progress.steps else 0.0
    return min(1.0, _BEGUN + (1 - _BEGUN) * done)


def eta(job: JobView | None, *, now: datetime) -> float:
    """Seconds until it is done, as far as one can tell."""
    if job is None:
        return 0.0
    if job.status is not JobStatus.RUNNING:
        return (job.queue.eta_seconds or 0.0) if job.queue else 0.0
    done = fraction(job)
    if job.started_at is None or done <= _BEGUN:
        return 0.0
    elapsed = max(0.0, (now - job.started_at).total_seconds())
    return elapsed / done - elapsed


def text(job: JobView | None) -> str | None:
    """A word about what the job waits for; None while it is sampling."""
    if job is None:
        return "Sending the request"
    about = duration(job.queue.eta_seconds) if job.queue and job.queue.eta_seconds else None
    if job.starting_since is not None and job.status is JobStatus.QUEUED:
        return f"Starting the GPU, about {about}" if about else "Starting the GPU, a few minutes"
    if job.status is not JobStatus.RUNNING:
        ahead = job.queue.ahead if job.queue else 0
        return f"Waiting in the queue, {ahead} ahead" + (f", about {about}" if about else "")
    return _TEXTS.get(job.progress.phase) if job.progress else None


def duration(seconds: float) -> str:
    """`40 s` or `4 min`."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _has_ended(job: JobView | None) -> bool:
    return job is not None and job.status in TERMINAL


def _state(watched: Watched | None = None) -> dict[str, Any]:
    state: dict[str, Any] = {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": "",
        "job_count": 0,
        "job_timestamp": "0",
        "job_no": 0,
        "sampling_step": 0,
        "sampling_steps": 0,
    }
    if watched is None:
        return state
    job, batches = watched.job, max(1, watched.batches)
    if job is None:
        return {**state, "job_count": batches, "sampling_steps": watched.steps}
    done, of = (job.progress.step, job.progress.steps) if job.progress else (0, 0)
    each = of // batches or watched.steps or 1
    number = min(done // each, batches - 1)
    return {
        **state,
        "interrupted": job.cancel_requested,
        "job": f"Batch {number + 1} out of {batches}" if batches > 1 else job.task.value,
        "job_count": batches,
        "job_timestamp": f"{job.created_at:%Y%m%d%H%M%S}",
        "job_no": number,
        "sampling_step": done - number * each,
        "sampling_steps": each if of else watched.steps,
    }

"""Jobs as the API shows them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from generate_on_cloud.contract.job_bodies import (
    ImageView,
    JobEstimate,
    JobQueue,
    JobSummary,
    JobView,
    PresignedPut,
    ProgressView,
    ResultView,
)
from generate_on_cloud.contract.jobs import JobPhase, JobStatus
from generate_on_cloud.contract.messages import JobResult, Progress
from lambdas.access.quota_use import job_headers
from lambdas.api.routes import Reply, UserCall
from lambdas.assembly.api import Api
from lambdas.jobs.objects import output_prefix, params_key, thumbnail_key
from lambdas.jobs.outcomes import MAX_RESULT_BYTES
from lambdas.jobs.record import JobRecord, fields_of
from lambdas.jobs.request_documents import MAX_PARAMS_BYTES
from lambdas.jobs.run_times import Pace, Span

URLS_CHANGE_EVERY = timedelta(minutes=5)
"""A view counts as changed after this time, so that clients get new URLs before the old ones expire."""
_IN_QUEUE = (JobStatus.QUEUED, JobStatus.RUNNING)
MOST = 0.99
"""Only a job that has succeeded is done."""
_SENTENCES: Mapping[JobPhase, str] = MappingProxyType(
    {
        JobPhase.STARTING: "Starting",
        JobPhase.FETCHING_MODELS: "Fetching model files",
        JobPhase.LOADING_MODELS: "Loading models",
        JobPhase.ENCODING: "Reading the prompt",
        JobPhase.SAMPLING: "Drawing",
        JobPhase.DECODING: "Decoding",
        JobPhase.UPSCALING: "Upscaling",
        JobPhase.INTERROGATING: "Interrogating",
        JobPhase.SAVING: "Saving",
    }
)
_ENDS: Mapping[JobStatus, str] = MappingProxyType(
    {
        JobStatus.SUCCEEDED: "Done",
        JobStatus.FAILED: "Failed",
        JobStatus.CANCELED: "Canceled",
        JobStatus.EXPIRED: "Expired",
    }
)
STARTING_GPU = "Starting a GPU"


def job_summary(services: Api, job: JobRecord) -> JobSummary:
    """The job as one line of a list; no AWS call."""
    return JobSummary(**_shown(services, job, JobSummary))


def _shown(services: Api, job: JobRecord, view: type[JobSummary]) -> dict[str, Any]:
    """What a view shows of the job itself; what depends on more than its record is added later."""
    thumbnail_url = None
    if job.thumbnail:
        life = services.objects.url_life(now=services.clock.now())
        thumbnail_url = services.objects.url_to_get(thumbnail_key(job.job_id), life=life)
    line = f"{job.created_at:%Y-%m-%d %H:%M:%S} → {job.task} → {job.status} → {job.job_id}"
    progress = shown_progress(job.progress, job.status) if job.progress is not None else None
    cost = (
        _usd(hour_of_gpu(services, job.endpoint), float(job.gpu_seconds))
        if job.finished_at and job.started_at
        else None
    )
    computed = {"line": line, "progress": progress, "thumbnail_url": thumbnail_url, "cost_usd": cost}
    return {**fields_of(job, among=view.model_fields), **computed}


def rehearsed_view(services: Api, job: JobRecord) -> JobView:
    """What a job would be, and would take; up to three AWS calls, and one once a minute."""
    view = JobView(**_shown(services, job, JobView), dry_run=True, queue=queue_place(services, job))
    pace, asleep = services.run_times.of(job.endpoint), services.instance_counts.running(job.endpoint)
    run, start = pace.run(float(job.megapixel_steps)), pace.start()
    low, expected, high = (run.low, run.expected, run.high) if run else (None, None, None)
    hour = hour_of_gpu(services, job.endpoint)
    view.estimate = JobEstimate(
        megapixel_steps=float(job.megapixel_steps),
        seconds=_rounded(expected),
        seconds_low=_rounded(low),
        seconds_high=_rounded(high),
        cost_usd=_usd(hour, expected),
        cost_usd_low=_usd(hour, low),
        cost_usd_high=_usd(hour, high),
        wakes_gpu=None if asleep is None else asleep == 0,
        start_seconds=_rounded(start.expected) if asleep == 0 else 0.0,
    )
    return view


def job_view(services: Api, job: JobRecord) -> JobView:
    """The job with every detail; one AWS call if it has succeeded, else none."""
    view = JobView(**_shown(services, job, JobView))
    if job.status is JobStatus.CREATED:
        now = services.clock.now()
        life = services.objects.url_life(now=now)
        view.upload = PresignedPut(
            url=services.objects.url_to_put_json(params_key(job.job_id), life=life),
            headers={"content-type": "application/json"},
            max_bytes=MAX_PARAMS_BYTES,
            expires_at=now + life,
        )
    if job.status is JobStatus.RUNNING and job.progress is not None and job.progress.previews:
        key = f"{output_prefix(job.job_id)}preview.jpg"
        life = services.objects.url_life(now=services.clock.now())
        view.preview_url = services.objects.url_to_get(key, life=life)
    if job.status is JobStatus.SUCCEEDED:
        view.result = _result(services, job)
        if view.result is not None:
            view.seeds = [image.seed for image in view.result.images if image.seed is not None]
    return view


def _result(services: Api, job: JobRecord) -> ResultView | None:
    """The result as the container wrote it; None if its document has since been deleted."""
    data = services.objects.read(job.output_key, max_bytes=MAX_RESULT_BYTES) if job.output_key else None
    if data is None:
        return None
    result = JobResult.model_validate_json(data)
    life = services.objects.url_life(now=services.clock.now())
    images = [
        ImageView(
            **fields_of(image, among=ImageView.model_fields),
            url=services.objects.url_to_get(image.key, life=life),
        )
        for image in result.images
    ]
    return ResultView(**{**fields_of(result, among=ResultView.model_fields), "images": images})


def show_waiting(view: JobView, services: Api, job: JobRecord) -> None:
    """Add to a queued job's view its place and whether its endpoint is still starting; one call, sometimes more."""
    view.queue = queue_place(services, job)
    if services.instance_counts.running(job.endpoint) == 0:
        view.progress = shown_progress(Progress(phase=JobPhase.STARTING), job.status)
        view.starting_since = job.queued_at


def queue_place(services: Api, job: JobRecord) -> JobQueue:
    """The jobs ahead of a queued one at its endpoint, and when it will be done.

    One call, two if there are any, and one once a minute. Beyond the first hundred open jobs it is assumed that as many
    as among these are of the same endpoint, and as large.
    """
    before, more = services.pages.ahead_of(job)
    ahead = [other for other in before if other.endpoint == job.endpoint and other.status in _IN_QUEUE]
    beyond = round(more * len(ahead) / len(before)) if before else 0
    pace, running = services.run_times.of(job.endpoint), services.instance_counts.running(job.endpoint)
    own, start = pace.run(float(job.megapixel_steps)), pace.start() if running == 0 else Span()
    place = JobQueue(ahead=len(ahead) + beyond, start_seconds=_rounded(start.expected))
    if own is None:
        return place
    waiting = sum((_left(pace, other) for other in ahead), Span())
    now = max(1, running or 1)
    most = max(now, services.settings.ENDPOINT_GPUS if job.endpoint == services.registry.default else now)
    share = (len(ahead) + beyond) / len(ahead) if ahead else 0.0
    done = start + waiting.times(share / most, share / now, share / now) + own
    place.eta_low_seconds, place.eta_seconds, place.eta_high_seconds = map(
        _rounded, (done.low, done.expected, done.high)
    )
    return place


def _left(pace: Pace, job: JobRecord) -> Span:
    """What an open job still takes: all of it, or the steps that a running one has left."""
    whole, progress = pace.run(float(job.megapixel_steps)) or Span(), job.progress
    left = 1.0 - progress.step / progress.steps if progress is not None and progress.steps else 1.0
    return whole.times(left, left, left)


def hour_of_gpu(services: Api, endpoint: str) -> float:
    """US dollars for an hour of one of its GPUs; 0: unknown."""
    if endpoint == services.registry.default:
        return services.settings.GPU_PRICE_PER_HOUR
    return services.gpu_prices.hour(endpoint)


def _usd(hour: float, seconds: float | None) -> float | None:
    return round(hour * seconds / 3600, 6) if hour and seconds is not None else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def view_tag(job: JobRecord, *, now: datetime) -> str:
    """Weak ETag of a job's view; it does not change if only the signatures of URLs or the worker's heartbeat would."""
    period = int(now.timestamp() // URLS_CHANGE_EVERY.total_seconds())
    text = json.dumps([asdict(replace(job, heartbeat_at=None)), period], default=str, sort_keys=True)
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def with_limits(call: UserCall, reply: Reply[JobView]) -> Reply[JobView]:
    """The reply with the headers that say how much of the caller's quotas is left; one call if there are any."""
    quotas, now = call.caller.quotas, call.services.clock.now()
    if not quotas.limited:
        return reply
    uses = call.services.usage.uses(call.caller.user, quotas, now=now)
    return replace(reply, headers={**reply.headers, **job_headers(uses, now=now)})


def shown_progress(progress: Progress, status: JobStatus) -> ProgressView:
    """The progress of a job with this status; `fraction` is the share of its steps, 1 only once it has succeeded."""
    share = progress.step / progress.steps if progress.steps else 0.0
    succeeded = status is JobStatus.SUCCEEDED
    if status in (JobStatus.CREATED, JobStatus.QUEUED):
        message = STARTING_GPU
    else:
        message = _ENDS.get(status) or _SENTENCES[progress.phase]
        if progress.steps and not succeeded:
            message += f", step {progress.step} of {progress.steps}"
    return ProgressView(**progress.model_dump(), fraction=1.0 if succeeded else min(share, MOST), message=message)

"""Routes of jobs."""

from datetime import timedelta

from pydantic import Field

from inference_container.contract.access import Permission
from inference_container.contract.api import (
    CreateJob,
    ImageView,
    JobPage,
    JobSummary,
    JobView,
    PresignedPut,
    ResultView,
)
from inference_container.contract.errors import ProblemCode
from inference_container.contract.jobs import TERMINAL, JobStatus, Task
from inference_container.contract.messages import JobResult
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.api.services import Services
from lambdas.items import is_id, new_id
from lambdas.job_objects import output_prefix, params_key
from lambdas.job_pages import JobFilter
from lambdas.jobs import JobRecord
from lambdas.outcomes import MAX_RESULT_BYTES
from lambdas.problems import ProblemError
from lambdas.submission import MAX_PARAMS_BYTES, state_conflict

ROUTES = Routes()

POLL_SECONDS = 1.0
PICTURE_URL_LIFE = timedelta(hours=1)
PARAMS_URL_LIFE = timedelta(hours=12)
_RACES = 3
"""Times a cancel looks again when the job moved on between reading and writing."""
_SENDING = (
    ProblemCode.NOT_SUPPORTED_YET,
    ProblemCode.ASSET_NOT_FOUND,
    ProblemCode.ASSET_NOT_ACTIVE,
    ProblemCode.ENDPOINT_NOT_IN_SERVICE,
)


class WaitQuery(Query):
    wait: int = Field(default=0, ge=0, le=25)
    """Seconds to wait for the job's status to change."""


class JobsQuery(Query):
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None
    task: Task | None = None
    status: JobStatus | None = None


@ROUTES.add("POST", "/v1/jobs", status=201, problems=_SENDING, permission=Permission.INFERENCE_CREATE)
def create_job(call: UserCall, body: CreateJob) -> JobView:
    """Send a job, or open one whose params document follows by presigned PUT."""
    services = call.services
    job = JobRecord(
        job_id=new_id(),
        owner=call.caller.user,
        task=body.task,
        status=JobStatus.CREATED,
        endpoint=services.settings.ENDPOINT_NAME,
        created_at=services.now(),
        checkpoint=body.checkpoint or None,
        preview=body.preview,
    )
    if body.params is None:
        return _view(services, services.submission.open(job))
    return _view(services, services.submission.send(job, body.params))


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/start",
    problems=(
        *_SENDING,
        ProblemCode.NOT_FOUND,
        ProblemCode.JOB_STATE_CONFLICT,
        ProblemCode.UPLOAD_INCOMPLETE,
        ProblemCode.BODY_TOO_LARGE,
        ProblemCode.INVALID_JSON,
    ),
    permission=Permission.INFERENCE_CREATE,
)
def start_job(call: UserCall, job_id: str) -> JobView:
    """Send a job whose params document has been put to its upload URL."""
    job = _own_job(call, job_id)
    return _view(call.services, call.services.submission.start(job, now=call.services.now()))


@ROUTES.add("GET", "/v1/jobs/{job_id}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.INFERENCE_LIST)
def get_job(call: UserCall, job_id: str, query: WaitQuery) -> JobView:
    """Status, progress and, in the end, the pictures or the reason of a job; `wait` answers at the next status."""
    services = call.services
    job = first = _own_job(call, job_id)
    deadline = services.monotonic() + query.wait
    while job.status is first.status and job.status not in TERMINAL:
        left = deadline - services.monotonic()
        if left <= 0:
            break
        services.sleep(min(POLL_SECONDS, left))
        job = _own_job(call, job_id)
    return _view(services, job)


@ROUTES.add("GET", "/v1/jobs", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.INFERENCE_LIST)
def list_jobs(call: UserCall, query: JobsQuery) -> JobPage:
    """The caller's jobs, newest first."""
    wanted = JobFilter(owner=call.caller.user, task=query.task, status=query.status)
    jobs, next_cursor = call.services.pages.newest(wanted, limit=query.limit, cursor=query.cursor)
    return JobPage(jobs=[JobSummary.model_validate(_summary(job)) for job in jobs], next_cursor=next_cursor)


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/cancel",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def cancel_job(call: UserCall, job_id: str) -> JobView:
    """Cancel at once what has not begun, ask a running job to stop at its next step; may be repeated."""
    services = call.services
    for _ in range(_RACES):
        job = _own_job(call, job_id)
        if job.status is JobStatus.CANCELED or (job.status is JobStatus.RUNNING and job.cancel_requested):
            return _view(services, job)
        if job.status in TERMINAL:
            break
        if job.status is JobStatus.RUNNING:
            changed = services.jobs.request_cancel(job.job_id)
        else:
            changed = services.jobs.finish(job, JobStatus.CANCELED, now=services.now(), allowed=(job.status,))
        if changed is not None:
            return _view(services, changed)
    raise state_conflict(job, "canceled")


def _own_job(call: UserCall, job_id: str) -> JobRecord:
    job = call.services.jobs.get(job_id) if is_id(job_id) else None
    if job is None or not call.caller.may_see(job.owner):
        raise ProblemError(ProblemCode.NOT_FOUND, f"There is no job {job_id[:100]!r}.")
    return job


def _summary(job: JobRecord) -> dict[str, object]:
    moment = f"{job.created_at:%Y-%m-%d %H:%M:%S}"
    return {
        "job_id": job.job_id,
        "label": f"{moment} → {job.task} → {job.status} → {job.job_id}",
        "task": job.task,
        "status": job.status,
        "checkpoint": job.checkpoint,
        "endpoint": job.endpoint,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "progress": job.progress,
        "error": job.error,
    }


def _view(services: Services, job: JobRecord) -> JobView:
    view = JobView.model_validate({**_summary(job), "cancel_requested": job.cancel_requested})
    if job.status is JobStatus.CREATED:
        view.upload = PresignedPut(
            url=services.objects.url_to_put_json(params_key(job.job_id), seconds=int(PARAMS_URL_LIFE.total_seconds())),
            headers={"content-type": "application/json"},
            max_bytes=MAX_PARAMS_BYTES,
            expires_at=services.now() + PARAMS_URL_LIFE,
        )
    if job.status is JobStatus.RUNNING and job.progress is not None and job.progress.previews:
        key = f"{output_prefix(job.job_id)}preview.jpg"
        view.preview_url = services.objects.url_to_get(key, seconds=int(PICTURE_URL_LIFE.total_seconds()))
    if job.status is JobStatus.SUCCEEDED:
        view.result = _result(services, job)
    return view


def _result(services: Services, job: JobRecord) -> ResultView | None:
    """The result as the container gave it; None when its document has been deleted since."""
    data = services.objects.read(job.output_key, max_bytes=MAX_RESULT_BYTES) if job.output_key else None
    if data is None:
        return None
    result = JobResult.model_validate_json(data)
    seconds = int(PICTURE_URL_LIFE.total_seconds())
    return ResultView(
        images=[
            ImageView(
                url=services.objects.url_to_get(image.key, seconds=seconds),
                width=image.width,
                height=image.height,
                format=image.format,
                seed=image.seed,
                infotext=image.infotext,
            )
            for image in result.images
        ],
        info=result.info,
        parameters=result.parameters,
        caption=result.caption,
        scores=result.scores,
        models=list(result.models),
        timings=result.timings,
        metrics=result.metrics,
    )

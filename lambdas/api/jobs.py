"""Routes of jobs."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from inference_container.contract.access import Permission
from inference_container.contract.api import (
    CreateJob,
    DeletedJobs,
    DeleteJobs,
    JobPage,
    JobView,
    NotDeleted,
)
from inference_container.contract.errors import ProblemCode
from inference_container.contract.jobs import TERMINAL, JobStatus, Task
from lambdas.api.job_views import job_summary, job_view, show_waiting, view_tag
from lambdas.api.rights import log_change
from lambdas.api.routes import Query, Reply, Routes, UserCall
from lambdas.api.webhooks import require_deliverable
from lambdas.endpoints import choose_endpoint
from lambdas.idempotency import HEADER, Replay
from lambdas.items import is_id, new_id
from lambdas.job_pages import JobFilter
from lambdas.jobs import JobRecord
from lambdas.problems import ProblemError
from lambdas.submission import state_conflict

ROUTES = Routes()

POLL_SECONDS = 1.0
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC))]
_RACES = 3
"""Times a cancel looks again when the job moved on between reading and writing."""
_KEYED = (ProblemCode.IDEMPOTENCY_MISMATCH, ProblemCode.IDEMPOTENCY_IN_FLIGHT)
_SENDING = (
    ProblemCode.NOT_SUPPORTED_YET,
    ProblemCode.ASSET_NOT_FOUND,
    ProblemCode.ASSET_NOT_ACTIVE,
    ProblemCode.ENDPOINT_NOT_IN_SERVICE,
    ProblemCode.QUOTA_EXCEEDED,
)


class WaitQuery(Query):
    wait: int = Field(default=0, ge=0, le=25)
    """Seconds to wait for the job's status to change."""


class JobsQuery(Query):
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None
    task: Task | None = None
    status: JobStatus | None = None
    endpoint: str | None = Field(default=None, min_length=1, max_length=63)
    owner: str | None = Field(default=None, min_length=1, max_length=200)
    since: Moment | None = Field(default=None, alias="from")
    """Made at this time or later."""
    until: Moment | None = Field(default=None, alias="to")
    """Made before this time."""


@ROUTES.add(
    "POST",
    "/v1/jobs",
    status=201,
    also=(200,),
    problems=(*_SENDING, *_KEYED),
    permission=Permission.INFERENCE_CREATE,
)
def create_job(call: UserCall, body: CreateJob) -> Reply[JobView]:
    """Send a job, or open one whose params document follows by presigned PUT."""
    services = call.services
    job = JobRecord(
        job_id=new_id(),
        correlation_id=call.correlation_id,
        owner=call.caller.user,
        task=body.task,
        status=JobStatus.CREATED,
        endpoint=choose_endpoint(body.endpoint, registry=services.registry, caller=call.caller),
        created_at=services.now(),
        checkpoint=body.checkpoint or None,
        preview=body.preview,
        metadata=body.metadata,
        ttl_s=body.ttl_s,
        run_timeout_s=body.run_timeout_s,
        webhook=body.webhook,
    )
    if body.webhook is not None:
        require_deliverable(call, body.webhook)
    if body.dry_run:
        view = job_view(services, services.submission.rehearse(job, body.params, caller=call.caller), rehearsed=True)
        return Reply(view, status=200)

    def make(job: JobRecord) -> JobRecord:
        if body.params is None:
            return services.submission.open(job, caller=call.caller)
        return services.submission.send(job, body.params, caller=call.caller)

    return _made_once(
        call, job, make, request=f"POST /v1/jobs {json.dumps(body.model_dump(mode='json'), sort_keys=True)}"
    )


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/retry",
    status=201,
    problems=(*_SENDING, *_KEYED, ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def retry_job(call: UserCall, job_id: str) -> Reply[JobView]:
    """Send what an ended job was sent with as a new job."""
    services, old = call.services, _own_job(call, job_id)
    if old.status not in TERMINAL:
        raise state_conflict(old, "sent again; it has not ended")
    params, checkpoint = services.submission.params_of(old)
    job = JobRecord(
        job_id=new_id(),
        correlation_id=call.correlation_id,
        owner=call.caller.user,
        task=old.task,
        status=JobStatus.CREATED,
        endpoint=choose_endpoint(old.endpoint, registry=services.registry, caller=call.caller),
        created_at=services.now(),
        checkpoint=checkpoint,
        preview=old.preview,
        metadata=old.metadata,
        ttl_s=old.ttl_s,
        run_timeout_s=old.run_timeout_s,
        webhook=old.webhook if old.owner == call.caller.user else None,
        retry_of=old.job_id,
    )
    return _made_once(
        call, job, lambda job: services.submission.send(job, params, caller=call.caller), request=f"POST retry {job_id}"
    )


@ROUTES.add(
    "DELETE",
    "/v1/jobs/{job_id}",
    status=204,
    problems=(ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def delete_job(call: UserCall, job_id: str) -> Reply[JobView]:
    """Take away an ended job for good: its record, its request and its pictures."""
    call.services.deletion.delete(job := _own_job(call, job_id))
    log_change(call, "job.deleted", job_id, {"owner": job.owner})
    return Reply(None)


@ROUTES.add("POST", "/v1/jobs/delete", permission=Permission.INFERENCE_CREATE)
def delete_jobs(call: UserCall, body: DeleteJobs) -> DeletedJobs:
    """Take away up to fifty ended jobs; those that cannot be are told with the reason."""
    services = call.services
    asked = list(dict.fromkeys(body.job_ids))
    found = {job.job_id: job for job in services.pages.rows([job_id for job_id in asked if is_id(job_id)])}
    answer = DeletedJobs(deleted=[], refused=[])
    for job_id in asked:
        job = found.get(job_id)
        try:
            services.deletion.delete(visible := _visible(call, job, job_id))
        except ProblemError as error:
            answer.refused.append(NotDeleted(job_id=job_id[:100], code=error.code, detail=error.detail))
        else:
            log_change(call, "job.deleted", job_id, {"owner": visible.owner})
            answer.deleted.append(job_id)
    return answer


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
    started = call.services.submission.start(job, caller=call.caller, now=call.services.now())
    log_change(call, "job.started", job_id)
    return job_view(call.services, started)


@ROUTES.add(
    "GET",
    "/v1/jobs/{job_id}",
    also=(304,),
    problems=(ProblemCode.NOT_FOUND,),
    permission=Permission.INFERENCE_LIST,
)
def get_job(call: UserCall, job_id: str, query: WaitQuery) -> Reply[JobView]:
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
    tag = view_tag(job, now=services.now())
    if job.status is not JobStatus.QUEUED and tag in _tags(call.headers.get("if-none-match", "")):
        return Reply(None, status=304, headers={"ETag": tag})
    view = job_view(services, job)
    if job.status is JobStatus.QUEUED:
        show_waiting(view, services, job)
        return Reply(view)  # its place changes though the job does not
    return Reply(view, headers={"ETag": tag})


def _tags(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",")]


@ROUTES.add("GET", "/v1/jobs", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.INFERENCE_LIST)
def list_jobs(call: UserCall, query: JobsQuery) -> JobPage:
    """Jobs, newest first: the caller's own, or those of `owner` for who may see all."""
    owner = query.owner or call.caller.user
    if owner != call.caller.user:
        call.caller.require(Permission.INFERENCE_ALL)
    wanted = JobFilter(
        owner, task=query.task, status=query.status, endpoint=query.endpoint, since=query.since, until=query.until
    )
    jobs, next_cursor = call.services.pages.newest(wanted, limit=query.limit, cursor=query.cursor)
    return JobPage(jobs=[job_summary(job) for job in jobs], next_cursor=next_cursor)


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
            return job_view(services, job)
        if job.status in TERMINAL:
            break
        if job.status is JobStatus.RUNNING:
            changed = services.jobs.request_cancel(job.job_id)
        else:
            changed = services.jobs.finish(job, JobStatus.CANCELED, now=services.now(), allowed=(job.status,))
        if changed is not None:
            log_change(call, "job.canceled", job_id, {"owner": job.owner})
            return job_view(services, changed)
    raise state_conflict(job, "canceled")


def _own_job(call: UserCall, job_id: str) -> JobRecord:
    return _visible(call, call.services.jobs.get(job_id) if is_id(job_id) else None, job_id)


def _visible(call: UserCall, job: JobRecord | None, job_id: str) -> JobRecord:
    if job is None or not call.caller.may_see(job.owner):
        raise ProblemError(ProblemCode.NOT_FOUND, f"There is no job {job_id[:100]!r}.")
    return job


def _made_once(
    call: UserCall, job: JobRecord, make: Callable[[JobRecord], JobRecord], *, request: str
) -> Reply[JobView]:
    """Make the job, or give what the request's Idempotency-Key gave before."""
    services, key = call.services, call.headers.get(HEADER)
    if key is None:
        made = make(job)
        _log_made(call, made)
        return Reply(job_view(services, made))
    keys = services.idempotency
    taken = keys.take(key, user=call.caller.user, request=request, job_id=job.job_id, now=services.now())
    if isinstance(taken, Replay):
        return Reply(JobView.model_validate_json(taken.answer), headers={"Idempotent-Replayed": "true"})
    there = services.jobs.get(taken.job_id) if taken.taken_over else None
    try:
        made = there or make(replace(job, job_id=taken.job_id))
    except ProblemError:
        keys.release(taken)
        raise
    _log_made(call, made)
    view = job_view(services, made)
    keys.keep(taken, view)
    return Reply(view)


def _log_made(call: UserCall, job: JobRecord) -> None:
    details = {"task": job.task, "endpoint": job.endpoint} | ({"retry_of": job.retry_of} if job.retry_of else {})
    log_change(call, "job.created", job.job_id, details)

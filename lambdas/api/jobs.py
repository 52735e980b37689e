"""Routes for existing jobs: get, change, delete."""

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.job_bodies import (
    MAX_METADATA,
    DeletedJobs,
    DeleteJobs,
    JobView,
    PatchJob,
    RefusedJob,
)
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from lambdas.access.wait_slots import RETRY_AFTER
from lambdas.api.job_views import job_view, show_waiting, view_tag
from lambdas.api.rights import no_job, require_visible, visible_job
from lambdas.api.routes import Query, Reply, Routes, UserCall
from lambdas.aws.rows import is_id
from lambdas.jobs.record import JobRecord
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()

POLL_SECONDS = 1.0


class WaitQuery(Query):
    wait: int = Field(default=0, ge=0, le=25)
    """Seconds to wait for the job's status to change, or with `If-None-Match` for anything of it to change."""


@ROUTES.add(
    "DELETE",
    "/v1/jobs/{job_id}",
    status=204,
    problems=(ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def delete_job(call: UserCall, job_id: str) -> Reply[JobView]:
    """Delete a finished job for good: its record, its request and its pictures."""
    call.services.deletion.delete(job := visible_job(call, job_id))
    call.log_change("job.deleted", job_id, {"owner": job.owner})
    return Reply(None)


@ROUTES.add("POST", "/v1/jobs/delete", permission=Permission.INFERENCE_CREATE)
def delete_jobs(call: UserCall, body: DeleteJobs) -> DeletedJobs:
    """Delete up to fifty finished jobs; those that cannot be deleted are listed with the reason."""
    services = call.services
    asked = list(dict.fromkeys(body.job_ids))
    found = {job.job_id: job for job in services.pages.rows([job_id for job_id in asked if is_id(job_id)])}
    answer = DeletedJobs(deleted=[], refused=[])
    for job_id in asked:
        job = found.get(job_id)
        try:
            services.deletion.delete(visible := require_visible(call, job, job_id))
        except ProblemError as error:
            answer.refused.append(RefusedJob(job_id=job_id[:100], code=error.code, detail=error.detail))
        else:
            call.log_change("job.deleted", job_id, {"owner": visible.owner})
            answer.deleted.append(job_id)
    return answer


@ROUTES.add(
    "GET",
    "/v1/jobs/{job_id}",
    also=(304,),
    problems=(ProblemCode.NOT_FOUND,),
    permission=Permission.INFERENCE_LIST,
)
def get_job(call: UserCall, job_id: str, query: WaitQuery) -> Reply[JobView]:
    """Get a job's status, progress and pictures, or why it failed; `wait` answers as soon as something changes."""
    services = call.services
    job, headers = _awaited(call, visible_job(call, job_id), seconds=query.wait)
    tag = view_tag(job, now=services.clock.now())
    if _is_known(call, job):
        return Reply(None, status=304, headers={"ETag": tag, **headers})
    view = job_view(services, job)
    if job.status is JobStatus.QUEUED:
        show_waiting(view, services, job)
        return Reply(view, headers=headers)  # its place changes even if the job does not
    return Reply(view, headers={"ETag": tag, **headers})


def _is_known(call: UserCall, job: JobRecord) -> bool:
    """Whether the caller has this view of the job; never while it is queued: its place changes even if it does not."""
    return job.status is not JobStatus.QUEUED and view_tag(job, now=call.services.clock.now()) in call.tags_known()


def _awaited(call: UserCall, first: JobRecord, *, seconds: int) -> tuple[JobRecord, dict[str, str]]:
    """The job once it changes or the time is over; at once, with `Retry-After`, if too many requests wait.

    Without `If-None-Match` only its status counts, with it whatever its view shows.
    """
    seen = _is_known(call, first)
    if seconds == 0 or first.status in TERMINAL or (call.tags_known() and not seen):
        return first, {}
    clock, slots = call.services.clock, call.services.wait_slots
    slot = slots.take(call.caller.user, seconds=seconds, now=clock.now())
    if slot is None:
        return first, {"Retry-After": str(RETRY_AFTER)}
    job, deadline = first, clock.monotonic() + seconds
    try:
        while (_is_known(call, job) if seen else job.status is first.status) and (
            left := deadline - clock.monotonic()
        ) > 0:
            clock.sleep(min(POLL_SECONDS, left))
            job = visible_job(call, first.job_id)
    finally:
        slots.give_back(slot)
    return job, {}


@ROUTES.add("PATCH", "/v1/jobs/{job_id}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.INFERENCE_CREATE)
def change_job(call: UserCall, job_id: str, body: PatchJob) -> JobView:
    """Change a job's label or metadata, or star it; a finished job too."""
    services, job = call.services, visible_job(call, job_id)
    metadata = None if body.metadata is None else {**job.metadata, **body.metadata}
    if metadata and len(metadata) > MAX_METADATA:
        message = f"received entries that make {len(metadata)} with those of the job; allowed: {MAX_METADATA}"
        raise invalid([FieldError(pointer="/metadata", message=message)])
    changed = services.jobs.annotate(job, label=body.label, starred=body.starred, metadata=metadata)
    if changed is None:
        raise no_job(job_id)
    changes = body.model_dump(exclude_none=True, exclude={"metadata"})
    call.log_change("job.changed", job_id, {"owner": job.owner, **changes, "metadata": sorted(body.metadata or {})})
    return job_view(services, changed)

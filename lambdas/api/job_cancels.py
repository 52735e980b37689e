"""Routes that cancel jobs: one, some, or all that wait; or only the batch that is being drawn."""

from collections.abc import Iterator

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.job_bodies import CanceledJobs, CancelJobs, JobView, RefusedJob
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from lambdas.api.job_views import job_view
from lambdas.api.rights import require_visible, visible_job
from lambdas.api.routes import Routes, UserCall
from lambdas.aws.rows import BATCH, is_id
from lambdas.jobs.filters import JobFilter
from lambdas.jobs.record import JobRecord
from lambdas.jobs.request_documents import state_conflict
from lambdas.problems import ProblemError

ROUTES = Routes()

MAX_CANCELED = 100
"""Waiting jobs that one request cancels; each takes three calls, and the request has 29 seconds."""
_WAITING = (JobStatus.QUEUED, JobStatus.CREATED)
_RACES = 3
"""How often a cancel tries again when the job moves on between reading and writing."""


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/cancel",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def cancel_job(call: UserCall, job_id: str) -> JobView:
    """Cancel a job: at once if it has not started, otherwise at its next step. Safe to repeat."""
    return job_view(call.services, _cancel(call, visible_job(call, job_id)))


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/skip",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def skip_batch(call: UserCall, job_id: str) -> JobView:
    """End the batch that a running job samples, as WebUI's Skip: its pictures stay as they are, the next one begins."""
    job = visible_job(call, job_id)
    changed = call.services.job_transitions.request_skip(job)
    if changed is None:
        raise state_conflict(visible_job(call, job_id), "skipped")
    call.log_change("job.skipped", job_id, {"owner": job.owner})
    return job_view(call.services, changed)


@ROUTES.add("POST", "/v1/jobs/cancel", permission=Permission.INFERENCE_CREATE)
def cancel_jobs(call: UserCall, body: CancelJobs) -> CanceledJobs:
    """Cancel up to fifty jobs by id, or all that wait; those that cannot be canceled are listed with the reason."""
    answer = CanceledJobs(canceled=[], refused=[])
    if body.job_ids is not None:
        _cancel_named(call, list(dict.fromkeys(body.job_ids)), answer)
        return answer
    if body.everyone:
        call.caller.require(Permission.INFERENCE_ALL)
    for job in _waiting(call, body):
        if len(answer.canceled) + len(answer.refused) >= MAX_CANCELED:
            answer.more = True
            break
        _note(call, job, job.job_id, answer)
    return answer


def _cancel_named(call: UserCall, job_ids: list[str], answer: CanceledJobs) -> None:
    found = {job.job_id: job for job in call.services.pages.rows([job_id for job_id in job_ids if is_id(job_id)])}
    for job_id in job_ids:
        _note(call, found.get(job_id), job_id, answer)


def _note(call: UserCall, job: JobRecord | None, job_id: str, answer: CanceledJobs) -> None:
    """Cancel the job and say in the answer how that went."""
    try:
        _cancel(call, require_visible(call, job, job_id))
    except ProblemError as error:
        answer.refused.append(RefusedJob(job_id=job_id[:100], code=error.code, detail=error.detail))
    else:
        answer.canceled.append(job_id)


def _waiting(call: UserCall, body: CancelJobs) -> Iterator[JobRecord]:
    """The jobs that wait, of the caller newest first, of everyone oldest first; without those to keep."""
    services, kept = call.services, frozenset(body.keep)
    endpoint = services.registry.full_name(body.endpoint) if body.endpoint else None
    if body.everyone:
        found = (job for jobs in services.pages.open_jobs() for job in jobs if job.status in _WAITING)
    else:
        found = (
            job
            for status in _WAITING
            for job in services.pages.all_of(JobFilter(call.caller.user, status=status, endpoint=endpoint), size=BATCH)
        )
    return (job for job in found if job.job_id not in kept and endpoint in (None, job.endpoint))


def _cancel(call: UserCall, job: JobRecord) -> JobRecord:
    """Cancel the job, or leave it alone if that was done before.

    Raises:
        ProblemError: `job_state_conflict` if it has ended otherwise, `not_found` if it is gone.
    """
    transitions = call.services.job_transitions
    for _ in range(_RACES):
        if job.status is JobStatus.CANCELED or (job.status is JobStatus.RUNNING and job.cancel_requested):
            return job
        if job.status in TERMINAL:
            break
        if job.status is JobStatus.RUNNING:
            changed = transitions.request_cancel(job.job_id)
        else:
            now = call.services.clock.now()
            changed = transitions.finish(job, JobStatus.CANCELED, now=now, allowed=(job.status,))
        if changed is not None:
            call.log_change("job.canceled", job.job_id, {"owner": job.owner})
            return changed
        job = visible_job(call, job.job_id)
    raise state_conflict(job, "canceled")

"""Routes that make jobs and send them."""

import json
from collections.abc import Callable
from dataclasses import replace

from inference_container.contract.access import Permission
from inference_container.contract.api import CreateJob, JobView
from inference_container.contract.errors import ProblemCode
from inference_container.contract.jobs import TERMINAL, JobStatus
from lambdas.api.job_rights import own_job
from lambdas.api.job_views import job_view
from lambdas.api.rights import log_change
from lambdas.api.routes import Reply, Routes, UserCall
from lambdas.api.webhooks import require_deliverable
from lambdas.endpoints import choose_endpoint
from lambdas.idempotency import HEADER, Replay
from lambdas.items import new_id
from lambdas.job_record import JobRecord
from lambdas.problems import ProblemError
from lambdas.submission import state_conflict

ROUTES = Routes()

_KEYED = (ProblemCode.IDEMPOTENCY_MISMATCH, ProblemCode.IDEMPOTENCY_IN_FLIGHT)
_SENDING = (
    ProblemCode.NOT_SUPPORTED_YET,
    ProblemCode.ASSET_NOT_FOUND,
    ProblemCode.ASSET_NOT_ACTIVE,
    ProblemCode.ENDPOINT_NOT_IN_SERVICE,
    ProblemCode.QUOTA_EXCEEDED,
)


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
    services, old = call.services, own_job(call, job_id)
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
    job = own_job(call, job_id)
    started = call.services.submission.start(job, caller=call.caller, now=call.services.now())
    log_change(call, "job.started", job_id)
    return job_view(call.services, started)


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

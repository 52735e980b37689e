"""Routes that make jobs and send them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.job_bodies import CreateJob, JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from lambdas.api.job_rights import own_job
from lambdas.api.job_views import job_view
from lambdas.api.rights import log_change
from lambdas.api.routes import Reply, Routes, UserCall
from lambdas.api.webhooks import require_deliverable
from lambdas.aws.items import new_id
from lambdas.endpoints.choice import EndpointChoice
from lambdas.jobs.idempotency import HEADER, Replay
from lambdas.jobs.record import JobRecord
from lambdas.jobs.submission import state_conflict
from lambdas.problems import ProblemError

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
    choice = services.chooser.choose(body.endpoint, caller=call.caller)
    job = JobRecord(
        job_id=new_id(),
        correlation_id=call.correlation_id,
        owner=call.caller.user,
        task=body.task,
        status=JobStatus.CREATED,
        endpoint=choice.first,
        created_at=services.clock.now(),
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
        rehearsed = _where_it_is_taken(
            call, choice, lambda choice: services.submission.rehearse(job, body.params, choice, caller=call.caller)
        )
        return Reply(job_view(services, rehearsed, rehearsed=True), status=200)

    def make(job: JobRecord) -> JobRecord:
        if body.params is None:
            return _where_it_is_taken(
                call, choice, lambda choice: services.submission.open(job, choice, caller=call.caller)
            )
        return _send(call, job, body.params, choice)

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
    choice = services.chooser.choose_again(old.endpoint, caller=call.caller)
    job = JobRecord(
        job_id=new_id(),
        correlation_id=call.correlation_id,
        owner=call.caller.user,
        task=old.task,
        status=JobStatus.CREATED,
        endpoint=choice.first,
        created_at=services.clock.now(),
        checkpoint=checkpoint,
        preview=old.preview,
        metadata=old.metadata,
        ttl_s=old.ttl_s,
        run_timeout_s=old.run_timeout_s,
        webhook=old.webhook if old.owner == call.caller.user else None,
        retry_of=old.job_id,
    )

    def make(job: JobRecord) -> JobRecord:
        return _send(call, job, params, choice)

    return _made_once(call, job, make, request=f"POST retry {job_id}")


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
    started = call.services.submission.start(job, caller=call.caller, now=call.services.clock.now())
    log_change(call, "job.started", job_id)
    return job_view(call.services, started)


def _send(call: UserCall, job: JobRecord, params: dict[str, Any], choice: EndpointChoice) -> JobRecord:
    return _where_it_is_taken(
        call, choice, lambda choice: call.services.submission.send(job, params, choice, caller=call.caller)
    )


def _where_it_is_taken(call: UserCall, choice: EndpointChoice, act: Callable[[EndpointChoice], JobRecord]) -> JobRecord:
    """Do it; with another endpoint if the one chosen of several was deleted or failed a moment ago."""
    try:
        return act(choice)
    except ProblemError as error:
        if error.code is not ProblemCode.ENDPOINT_NOT_IN_SERVICE or choice.reading is None:
            raise
    call.services.chooser.forget()
    return act(call.services.chooser.choose(None, caller=call.caller))


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
    taken = keys.take(key, user=call.caller.user, request=request, job_id=job.job_id, now=services.clock.now())
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

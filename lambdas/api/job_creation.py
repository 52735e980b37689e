"""Routes that create jobs and send them: the main line from valid params to a queued job on its endpoint.

`_make` serves `POST /v1/jobs` and retries; `start_job` serves jobs whose params are uploaded first.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.job_bodies import CreateJob, JobView, RetryJob
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from generate_on_cloud.contract.messages import JobRequest
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from lambdas.api.job_views import job_view, rehearsed_view, with_limits
from lambdas.api.rights import visible_job
from lambdas.api.routes import Reply, Routes, UserCall
from lambdas.api.webhooks import require_deliverable
from lambdas.aws.rows import new_id, read_rows
from lambdas.endpoints.choice import EndpointChoice
from lambdas.jobs.counts import counted
from lambdas.jobs.idempotency import HEADER, Replay
from lambdas.jobs.objects import params_key, request_key
from lambdas.jobs.params import check_params, megapixel_steps, shown_prompt
from lambdas.jobs.record import IS_OPEN, JobRecord, fields_of
from lambdas.jobs.request_documents import state_conflict
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError, invalid

_LOG = logging.getLogger(__name__)

ROUTES = Routes()

ASKED = frozenset(CreateJob.model_fields) & {each.name for each in fields(JobRecord)}
"""Fields that a client asks for and the job keeps."""
_KEYED = (ProblemCode.IDEMPOTENCY_MISMATCH, ProblemCode.IDEMPOTENCY_IN_FLIGHT)
_SENDING = (
    ProblemCode.NOT_SUPPORTED_YET,
    ProblemCode.ASSET_NOT_FOUND,
    ProblemCode.ASSET_NOT_ACTIVE,
    ProblemCode.ENDPOINT_NOT_IN_SERVICE,
    ProblemCode.QUOTA_EXCEEDED,
)


@dataclass(frozen=True)
class Order:
    """What to create a job from."""

    job: JobRecord
    params: dict[str, Any] | None
    """None: they follow in an upload."""
    choice: EndpointChoice | None = None
    """None: its endpoint was chosen when the job was created."""
    rehearsed: bool = False
    """Only run the checks; create nothing."""


@dataclass(frozen=True)
class Plan:
    """An order that passed all checks; nothing has been created yet."""

    job: JobRecord
    """With its endpoint, its files and the warnings about its params."""
    params: dict[str, Any]
    """What the container reads; empty when they follow by presigned PUT."""
    files: Resolution


@ROUTES.add(
    "POST",
    "/v1/jobs",
    status=201,
    also=(200,),
    problems=(*_SENDING, *_KEYED),
    permission=Permission.INFERENCE_CREATE,
)
def create_job(call: UserCall, body: CreateJob) -> Reply[JobView]:
    """Create a job and send it; with `params: null`, create it and wait for its params document to be uploaded."""
    services = call.services
    choice = services.chooser.choose(body.endpoint, caller=call.caller)
    job = _new_job(call, body, endpoint=choice.first, checkpoint=body.checkpoint or None)
    if body.webhook is not None:
        require_deliverable(call, body.webhook)
    order = Order(job, body.params, choice, rehearsed=body.dry_run)
    if order.rehearsed:
        return with_limits(call, Reply(rehearsed_view(services, _make_where_taken(call, order)), status=200))
    request = f"POST /v1/jobs {json.dumps(body.model_dump(mode='json'), sort_keys=True)}"
    return with_limits(call, _make_once(call, order, request=request))


@ROUTES.add(
    "POST",
    "/v1/jobs/{job_id}/retry",
    status=201,
    problems=(*_SENDING, *_KEYED, ProblemCode.NOT_FOUND, ProblemCode.JOB_STATE_CONFLICT),
    permission=Permission.INFERENCE_CREATE,
)
def retry_job(call: UserCall, job_id: str, body: RetryJob) -> Reply[JobView]:
    """Repeat a finished job as a new one, with another seed if one is given."""
    services, old = call.services, visible_job(call, job_id)
    if old.status not in TERMINAL:
        raise state_conflict(old, "sent again before it has finished")
    sent = services.documents.sent_with(old)
    choice = services.chooser.choose_again(old.endpoint, caller=call.caller)
    asked = old if old.owner == call.caller.user else replace(old, webhook=None)  # another user's server hears nothing
    checkpoint = sent.checkpoint.asset_id if sent.checkpoint else None
    job = replace(
        _new_job(call, asked, endpoint=choice.first, checkpoint=checkpoint), retry_of=old.job_id, warnings=old.warnings
    )
    params = _reseeded(sent, body.seed)
    request = f"POST retry {job_id}" + ("" if body.seed is None else f" seed {body.seed}")
    return with_limits(call, _make_once(call, Order(job, params, choice), request=request))


def _reseeded(sent: JobRequest, seed: int | None) -> dict[str, Any]:
    """The params that a job was sent with, with another seed unless it is None.

    Raises:
        ProblemError: `invalid_params` for a task without a seed.
    """
    if seed is None:
        return sent.params
    if "seed" not in PARAMS_BY_TASK[sent.task].model_fields:
        message = f"received {seed} for a job of {sent.task}, which draws without a seed; allowed: null"
        raise invalid([FieldError(pointer="/seed", message=message)])
    return {**sent.params, "seed": seed}


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
def start_job(call: UserCall, job_id: str) -> Reply[JobView]:
    """Send a job whose params document has been uploaded.

    After an error the job is still `created`: upload the document again.
    """
    services, job = call.services, visible_job(call, job_id)
    now = services.clock.now()
    if job.status is not JobStatus.CREATED:
        raise state_conflict(job, "started")
    # 1. Check the uploaded document and find the files it names.
    plan = _plan(call, Order(job, services.documents.uploaded_params(job)))
    # 2. Count its steps before the transition: after a crash in between, the job has counted and does not count again.
    charged = services.counts.charge_steps(job, plan.job.megapixel_steps, call.caller.quotas, now=now)
    # 3. Only the request that makes the transition continues, so only that one writes and deletes documents.
    queued = services.job_transitions.queue(
        job_id,
        checkpoint=plan.job.checkpoint,
        models=plan.job.models,
        warnings=plan.job.warnings,
        prompt=plan.job.prompt,
        megapixel_steps=plan.job.megapixel_steps,
        request_key=request_key(job_id),
        now=now,
    )
    if queued is None:
        raise state_conflict(services.jobs.get(job_id) or job, "started")
    # 4. Write the request document and hand the job over.
    try:
        services.documents.write(queued, plan.params, plan.files)
        started = services.delivery.hand_over(queued)
    except (ProblemError, ClientError, BotoCoreError):
        _undo(lambda: services.objects.remove(request_key(job_id)), job)
        _undo(lambda: services.job_transitions.unqueue(job_id, checkpoint=job.checkpoint), job)
        _undo(lambda: services.counts.give_back_steps(charged), job)
        raise
    call.log_change("job.started", job_id)
    return with_limits(call, Reply(job_view(services, started)))


def _new_job(call: UserCall, asked: CreateJob | JobRecord, *, endpoint: str, checkpoint: str | None) -> JobRecord:
    """A new job of the caller, as they ask for it or as the job that is repeated was asked for."""
    fresh = {
        "job_id": new_id(),
        "correlation_id": call.correlation_id,
        "traceparent": call.traceparent,
        "owner": call.caller.user,
        "status": JobStatus.CREATED,
        "endpoint": endpoint,
        "created_at": call.services.clock.now(),
        "checkpoint": checkpoint,
        "open": IS_OPEN,
    }
    return JobRecord(**{**fields_of(asked, among=ASKED), **fresh})


def _make_once(call: UserCall, order: Order, *, request: str) -> Reply[JobView]:
    """Create the job, or return what the Idempotency-Key created before; `request` distinguishes requests."""
    services, key = call.services, call.headers.get(HEADER)
    if key is None:
        made = _make_where_taken(call, order)
        _log_made(call, made)
        return Reply(job_view(services, made))
    keys, job = services.idempotency, order.job
    taken = keys.take(key, user=job.owner, request=request, job_id=job.job_id, now=services.clock.now())
    if isinstance(taken, Replay):
        return Reply(JobView.model_validate_json(taken.answer), headers={"Idempotent-Replayed": "true"})
    there = services.jobs.get(taken.job_id) if taken.taken_over else None
    try:
        named = replace(order, job=replace(job, job_id=taken.job_id))
        made = there or _make_where_taken(call, named)
    except ProblemError:
        keys.release(taken)
        raise
    _log_made(call, made)
    view = job_view(services, made)
    keys.keep(taken, view)
    return Reply(view)


def _make_where_taken(call: UserCall, order: Order) -> JobRecord:
    """`_make`; once more with another endpoint if the one chosen of several was deleted or failed a moment ago."""
    try:
        return _make(call, order)
    except ProblemError as error:
        if error.code is not ProblemCode.ENDPOINT_NOT_IN_SERVICE or order.choice is None or order.choice.load is None:
            raise
    call.services.chooser.forget()
    return _make(call, replace(order, choice=call.services.chooser.choose(None, caller=call.caller)))


def _make(call: UserCall, order: Order) -> JobRecord:
    """Create the job and send it to its endpoint; leave it `created` if its params follow; a rehearsal only checks.

    Raises:
        ProblemError: an invalid request, an unavailable endpoint, or `quota_exceeded`; no row and no object is
            left behind.
    """
    services = call.services
    # 1. Check the params, find the files and choose the endpoint.
    plan = _plan(call, order)
    job = counted(plan.job, call.caller.quotas)
    # 2. Sending checks that the pictures exist and the endpoint takes jobs; if nothing is sent now, check here.
    if order.rehearsed:
        services.documents.require_inputs(job, plan.params)
        services.endpoints.require_in_service(job.endpoint)
        return plan.job
    if order.params is None:
        services.endpoints.require_in_service(job.endpoint)
        opened = replace(job, params_key=params_key(job.job_id))
        _admit(call, opened)
        return opened
    queued = replace(job, status=JobStatus.QUEUED, request_key=request_key(job.job_id), queued_at=job.created_at)
    try:
        # 3. Write the document that the container reads.
        services.documents.write(queued, plan.params, plan.files)
        # 4. Write the row together with everything it counts.
        _admit(call, queued)
        # 5. Send it to its endpoint.
        return services.delivery.hand_over(queued)
    except (ProblemError, ClientError, BotoCoreError):
        _undo(lambda: services.counts.give_back(queued), queued)
        _undo(lambda: services.documents.remove(queued), queued)
        raise


def _plan(call: UserCall, order: Order) -> Plan:
    """Check the params, find the files and, of several endpoints, choose the least loaded.

    Raises:
        ProblemError: the params, or a file or style they name, are invalid.
    """
    services, caller, job, params = call.services, call.caller, order.job, order.params
    loads = order.choice.keys if order.choice else {}
    if params is None:
        if job.checkpoint:
            services.resolver.check_checkpoint(job.checkpoint, caller=caller)
        rows, files = read_rows(services.clients.dynamodb, loads, consistent=True), Resolution()
    else:
        checked = check_params(job.task, params, strict=job.strict)
        params, job = checked.document, replace(job, warnings=(*job.warnings, *checked.warnings))
        asked = services.resolver.ask(job.checkpoint, checked.params, caller=caller)
        # One read for the named files and the endpoints' loads.
        keys = {**services.assets.keys(asked.references), **loads}
        rows = read_rows(services.clients.dynamodb, keys, consistent=True)
        files = services.resolver.resolve(asked, rows)
        warnings = [warning for warning in files.warnings if warning not in job.warnings]
        job = replace(job, warnings=(*job.warnings, *warnings), models=files.models)
        checkpoint = files.checkpoint.name if files.checkpoint else None
        work, prompt = megapixel_steps(checked.params), shown_prompt(checked.params)
        job = replace(job, checkpoint=checkpoint, prompt=prompt, megapixel_steps=work)
    if order.choice is not None:
        job = replace(job, endpoint=order.choice.least_loaded(rows, checkpoint=job.checkpoint))
    return Plan(job, params or {}, files)


def _admit(call: UserCall, job: JobRecord) -> None:
    services = call.services
    guards = services.chooser.guards(job.endpoint)
    days = services.settings.JOB_RETENTION_DAYS
    services.counts.admit(job, call.caller.quotas, guards=guards, retention_days=days)


def _undo(step: Callable[[], object], job: JobRecord) -> None:
    try:
        step()
    except (ClientError, BotoCoreError):
        _LOG.exception("job %s was not cleaned up", job.job_id, extra=job.log_ids)


def _log_made(call: UserCall, job: JobRecord) -> None:
    details = {"task": job.task, "endpoint": job.endpoint} | ({"retry_of": job.retry_of} if job.retry_of else {})
    call.log_change("job.created", job.job_id, details)

"""Routes for endpoints."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.endpoints import (
    CreateEndpoint,
    EndpointList,
    EndpointStatus,
    EndpointView,
    PatchEndpoint,
)
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from lambdas.access.table import overtaken
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.endpoints.choice import Activity
from lambdas.endpoints.record import EndpointRecord
from lambdas.endpoints.sagemaker import LiveEndpoint, status_of
from lambdas.jobs.record import JobRecord
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()
_SCALES = (EndpointStatus.IN_SERVICE, EndpointStatus.SCALED_TO_ZERO)
"""SageMaker refuses to change the instances of an endpoint in another state."""


class DeleteQuery(Query):
    force: bool = False
    """Cancel the endpoint's open jobs first."""


@ROUTES.add(
    "POST",
    "/v1/endpoints",
    status=201,
    problems=(
        ProblemCode.NAME_TAKEN,
        ProblemCode.AWS_QUOTA_EXCEEDED,
        ProblemCode.ENDPOINT_NOT_IN_SERVICE,
    ),
    permission=Permission.ENDPOINT_CREATE,
)
def create_endpoint(call: UserCall, body: CreateEndpoint) -> EndpointView:
    """Create an endpoint modelled on the template's; it is ready after some minutes."""
    services, registry = call.services, call.services.registry
    _require_known(call, users=body.users, roles=body.roles)
    record = EndpointRecord(
        endpoint=registry.full_name(body.name),
        owner=call.caller.user,
        instance_type=body.instance_type,
        min_instances=body.min_instances,
        max_instances=body.max_instances,
        idle_minutes=body.idle_minutes,
        backlog_per_instance=body.backlog_per_instance,
        created_at=services.clock.now(),
        image=body.image,
        users=tuple(body.users),
        roles=tuple(body.roles),
    )
    if record.endpoint == registry.default or not registry.store.add(record):
        raise ProblemError(ProblemCode.NAME_TAKEN, f"{record.endpoint!r} already exists or is being deleted.")
    try:
        services.endpoint_creation.create(record)
    except (ProblemError, ClientError):
        # After a refusal, the keeper removes what was already made, and then the row. Without an answer from AWS the
        # endpoint may exist: the row stays, and the keeper finds out.
        registry.store.mark_deleting(record.endpoint)
        _call_keeper(call, record.endpoint)
        raise
    call.log_change("endpoint.created", record.endpoint, body.model_dump(exclude_none=True))
    return _view(record, Activity())


@ROUTES.add("GET", "/v1/endpoints", permission=Permission.ENDPOINT_LIST)
def list_endpoints(call: UserCall) -> EndpointList:
    """List the endpoints that the caller may use: the template's with its current status, then those created here."""
    registry = call.services.registry
    records = [record for record in registry.store.list() if _may_see(call, record)]
    seen = call.services.load.activity([registry.default, *(record.endpoint for record in records)])
    live = call.services.endpoints.describe(registry.default)
    views = [] if live is None else [_template_view(call, live, seen[live.name])]
    views += [_view(record, seen[record.endpoint]) for record in records]
    return EndpointList(endpoints=views)


@ROUTES.add("GET", "/v1/endpoints/{name}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.ENDPOINT_LIST)
def get_endpoint(call: UserCall, name: str) -> EndpointView:
    """Get one endpoint with SageMaker's current status."""
    return _current(call, name)


@ROUTES.add(
    "POST",
    "/v1/endpoints/{name}/sleep",
    status=202,
    problems=(ProblemCode.NOT_FOUND, ProblemCode.ENDPOINT_IN_USE, ProblemCode.ENDPOINT_NOT_IN_SERVICE),
    permission=Permission.ENDPOINT_CREATE,
)
def put_to_sleep(call: UserCall, name: str) -> EndpointView:
    """Set an endpoint without an open job back to its minimum of instances now; the next job wakes it again."""
    services, full_name = call.services, call.services.registry.full_name(name)
    if full_name == services.registry.default:
        call.caller.require(Permission.ENDPOINT_ALL)
    else:
        _changeable(call, name)
    view = _current(call, name)
    if view.open_jobs:
        detail = f"{full_name} has {view.open_jobs} open jobs. Wait for them, or cancel them."
        raise ProblemError(ProblemCode.ENDPOINT_IN_USE, detail)
    if view.status not in _SCALES:
        allowed = f"allowed: {', '.join(_SCALES)}"
        raise ProblemError(
            ProblemCode.ENDPOINT_NOT_IN_SERVICE, f"The endpoint {full_name} is {view.status}; {allowed}."
        )
    _call_keeper(call, full_name, sleep=True)
    call.log_change("endpoint.put_to_sleep", full_name)
    return view


@ROUTES.add(
    "PATCH",
    "/v1/endpoints/{name}",
    problems=(ProblemCode.NOT_FOUND,),
    permission=Permission.ENDPOINT_CREATE,
)
def patch_endpoint(call: UserCall, name: str, body: PatchEndpoint) -> EndpointView:
    """Change an endpoint's scaling and who may use it; AWS follows within a minute, or once it is in service."""
    record = _changeable(call, name)
    _require_known(call, users=body.users or [], roles=body.roles or [])
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    for names in ("users", "roles"):
        if names in given:
            given[names] = tuple(given[names])
    changed = replace(record, **given, version=record.version + 1)
    if changed.min_instances > changed.max_instances:
        message = f"min_instances {changed.min_instances} is above max_instances {changed.max_instances}"
        raise invalid([FieldError(pointer="/min_instances", message=message)])
    if record.status is EndpointStatus.DELETING:
        raise _unknown(name)
    if not call.services.registry.store.change(record, changed):
        raise overtaken()
    _call_keeper(call, record.endpoint)
    call.log_change("endpoint.changed", record.endpoint, body.model_dump(exclude_none=True))
    return _view(changed)


@ROUTES.add(
    "DELETE",
    "/v1/endpoints/{name}",
    status=202,
    problems=(ProblemCode.NOT_FOUND, ProblemCode.ENDPOINT_IN_USE),
    permission=Permission.ENDPOINT_CREATE,
)
def delete_endpoint(call: UserCall, name: str, query: DeleteQuery) -> EndpointView:
    """Delete an endpoint and everything that belongs to it; it is `Deleting` until nothing is left. Safe to repeat."""
    services, record = call.services, _changeable(call, name)
    if record.status is not EndpointStatus.DELETING:
        waiting = None if query.force else next(_jobs_on(call, record.endpoint), None)
        if waiting is not None:
            detail = f"{record.endpoint} has the open job {waiting.job_id}. Wait, or send ?force=true to cancel it."
            raise ProblemError(ProblemCode.ENDPOINT_IN_USE, detail)
        services.registry.store.mark_deleting(record.endpoint)
        call.log_change("endpoint.deleted", record.endpoint, {"force": query.force})
    if query.force:
        for job in list(_jobs_on(call, record.endpoint)):
            # A running job is asked to stop; if its worker disappears first, it fails with `worker_lost`.
            queued, transitions = (JobStatus.QUEUED,), services.job_transitions
            if transitions.finish(job, JobStatus.CANCELED, now=services.clock.now(), allowed=queued) is None:
                transitions.request_cancel(job.job_id)
    _call_keeper(call, record.endpoint)
    return _view(replace(record, status=EndpointStatus.DELETING))


def _current(call: UserCall, name: str) -> EndpointView:
    services, full_name = call.services, call.services.registry.full_name(name)
    record = None if full_name == services.registry.default else _required(call, name)
    live = services.endpoints.describe(full_name)
    activity = services.load.activity([full_name])[full_name]
    if record is None:
        if live is None:
            raise _unknown(name)
        return _template_view(call, live, activity)
    if live is not None and record.status is not EndpointStatus.DELETING:
        status, count = status_of(live.status), live.instance_count
        record = replace(record, status=status, instance_count=count, reason=live.failure_reason)
    return _view(record, activity)


def _jobs_on(call: UserCall, endpoint: str) -> Iterator[JobRecord]:
    for batch in call.services.pages.open_jobs():
        yield from (
            job
            for job in batch
            if job.endpoint == endpoint and job.status not in TERMINAL and job.status is not JobStatus.CREATED
        )


def _call_keeper(call: UserCall, endpoint: str, **more: bool) -> None:
    """Call the keeper now instead of waiting for its next minute."""
    settings = call.services.settings
    call.services.clients.functions.invoke(
        FunctionName=settings.ENDPOINT_KEEPER_FUNCTION,
        InvocationType="Event",
        Payload=json.dumps({"endpoint": endpoint, **more}).encode(),
    )


def _required(call: UserCall, name: str) -> EndpointRecord:
    registry = call.services.registry
    record = registry.store.get(registry.full_name(name))
    if record is None or not _may_see(call, record):
        raise _unknown(name)
    return record


def _may_see(call: UserCall, record: EndpointRecord) -> bool:
    """Whether the caller may use it; one that is reserved for others looks as if it did not exist."""
    return call.caller.may_use(record, Permission.ENDPOINT_ALL)


def _changeable(call: UserCall, name: str) -> EndpointRecord:
    """The endpoint, if the caller may change it: their own, or any with `endpoint:all`."""
    registry = call.services.registry
    if registry.full_name(name) == registry.default:
        detail = f"{registry.default} belongs to the template: change it there (`-c max_instances=…`) and deploy."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)
    record = _required(call, name)
    if record.owner != call.caller.user:
        call.caller.require(Permission.ENDPOINT_ALL)
    return record


def _require_known(call: UserCall, *, users: list[str], roles: list[str]) -> None:
    faults = [
        FieldError(pointer=f"/{kind}/{place}", message=f"received {name!r}; no such {kind[:-1]} exists")
        for kind, names, find in (
            ("users", users, call.services.users.get),
            ("roles", roles, call.services.roles.get),
        )
        for place, name in enumerate(names)
        if find(name) is None
    ]
    if faults:
        raise invalid(faults)


def _unknown(name: str) -> ProblemError:
    return ProblemError(ProblemCode.NOT_FOUND, f"The endpoint {name[:100]!r} does not exist.")


def _asleep(status: EndpointStatus, instances: int) -> EndpointStatus:
    sleeps = status is EndpointStatus.IN_SERVICE and instances == 0
    return EndpointStatus.SCALED_TO_ZERO if sleeps else status


def _sleeps_at(
    activity: Activity, *, instances: int, least: int, idle_minutes: int, started: datetime | None
) -> datetime | None:
    """When the idle minutes since its last job or, before any, since it started will be over."""
    moments = [moment for moment in (activity.changed_at, started) if moment is not None]
    if activity.open_jobs > 0 or instances <= least or not moments:
        return None
    return max(moments) + timedelta(minutes=idle_minutes)


def _template_view(call: UserCall, live: LiveEndpoint, activity: Activity) -> EndpointView:
    settings = call.services.settings
    return EndpointView(
        name=live.name,
        status=_asleep(status_of(live.status), live.instance_count),
        instance_count=live.instance_count,
        failure_reason=live.failure_reason,
        open_jobs=activity.open_jobs,
        sleeps_at=_sleeps_at(
            activity,
            instances=live.instance_count,
            least=settings.MIN_INSTANCES,
            idle_minutes=settings.IDLE_MINUTES,
            started=live.modified_at,
        ),
    )


def _view(record: EndpointRecord, activity: Activity | None = None) -> EndpointView:
    """Without its activity, the answer to a change."""
    return EndpointView(
        name=record.endpoint,
        status=_asleep(record.status, record.instance_count),
        instance_count=record.instance_count,
        failure_reason=record.reason,
        managed_by="api",
        open_jobs=None if activity is None else activity.open_jobs,
        sleeps_at=activity
        and _sleeps_at(
            activity,
            instances=record.instance_count,
            least=record.min_instances,
            idle_minutes=record.idle_minutes,
            started=record.created_at,
        ),
        instance_type=record.instance_type,
        min_instances=record.min_instances,
        max_instances=record.max_instances,
        idle_minutes=record.idle_minutes,
        backlog_per_instance=record.backlog_per_instance,
        image=record.image,
        users=list(record.users),
        roles=list(record.roles),
        owner=record.owner,
        created_at=record.created_at,
    )

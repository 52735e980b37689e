"""The route that lists jobs, with its filters."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.job_bodies import MAX_LABEL, JobPage
from generate_on_cloud.contract.jobs import JobStatus, Task
from lambdas.api.job_views import job_summary
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.jobs.filters import JobFilter, Sort

ROUTES = Routes()

_BLANK_OFFSET = re.compile(r"^(\S+T\d\d:\S+) (\d\d:?\d\d)$")


def _with_plus(text: object) -> object:
    """A time whose bare `+` the URL made a blank: `2026-11-30T10:00 09:00`."""
    return _BLANK_OFFSET.sub(r"\1+\2", text) if isinstance(text, str) else text


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_with_plus),
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]
Pair = Annotated[str, StringConstraints(pattern=r"^[^=]{1,64}=.{0,512}$")]


class JobsQuery(Query):
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None
    task: Task | None = None
    status: JobStatus | None = None
    endpoint: str | None = Field(default=None, min_length=1, max_length=63)
    """Its name, with or without the stage's prefix."""
    owner: str | None = Field(default=None, min_length=1, max_length=200)
    since: Moment | None = Field(default=None, alias="from")
    """Created at this time or later."""
    until: Moment | None = Field(default=None, alias="to")
    """Created before this time."""
    sort: Sort = "newest"
    model: str | None = Field(default=None, min_length=1, max_length=200)
    """Name of the checkpoint or another model file that the job uses, with or without extension, or its SHA-256."""
    label: str | None = Field(default=None, min_length=1, max_length=MAX_LABEL)
    """Part of the label, in any case."""
    starred: bool | None = None
    metadata: Pair | None = None
    """`key=value`"""
    q: str | None = Field(default=None, min_length=1, max_length=200)
    """Words that the prompt contains, in any order and case."""


@ROUTES.add("GET", "/v1/jobs", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.INFERENCE_LIST)
def list_jobs(call: UserCall, query: JobsQuery) -> JobPage:
    """List jobs, newest first: the caller's own, or those of `owner` if the caller may see all."""
    owner = query.owner or call.caller.user
    if owner != call.caller.user:
        call.caller.require(Permission.INFERENCE_ALL)
    key, _, value = (query.metadata or "").partition("=")
    wanted = JobFilter(
        owner,
        task=query.task,
        status=query.status,
        endpoint=call.services.registry.full_name(query.endpoint) if query.endpoint else None,
        since=query.since,
        until=query.until,
        sort=query.sort,
        model=query.model,
        label=query.label,
        starred=query.starred,
        metadata=(key, value) if query.metadata else None,
        words=tuple((query.q or "").split()),
    )
    jobs, next_cursor = call.services.pages.matching(wanted, limit=query.limit, cursor=query.cursor)
    return JobPage(jobs=[job_summary(call.services, job) for job in jobs], next_cursor=next_cursor)

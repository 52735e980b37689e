"""Routes for usage: jobs, GPU seconds and their cost by user and day, and in groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import UsageDay, UsageGroup, UsagePage
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.usage import Part, PartUse, UsageRecord
from lambdas.api.job_views import hour_of_gpu
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.assembly.api import Api
from lambdas.problems import invalid

ROUTES = Routes()

MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
PAGES_OF_GROUPS = 50
"""Pages of a hundred days of users that one request adds up."""

By = Literal["day", "user", "endpoint", "model"]


class UsageQuery(Query):
    month: str | None = Field(default=None, pattern=MONTH_PATTERN)
    """Such as `2026-11`; None: the current month in UTC."""
    user: str | None = None
    """None: the caller."""
    everyone: bool = False
    by: By | None = None
    """Totals of the month by this, instead of each user's days."""
    limit: int = Field(default=100, ge=1, le=100)
    cursor: str | None = None


@dataclass(frozen=True)
class _Piece:
    """A part of a user's day."""

    keys: dict[By, str]
    use: PartUse
    cost: Decimal | None


@ROUTES.add(
    "GET",
    "/v1/usage",
    problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND, ProblemCode.INVALID_CURSOR),
    permission=Permission.INFERENCE_LIST,
)
def list_usage(call: UserCall, query: UsageQuery) -> UsagePage:
    """List finished jobs, GPU seconds and cost of a month, by day or in groups: the caller's, a user's, everyone's."""
    usage, caller = call.services.usage, call.caller
    month = call.services.clock.now().date().replace(day=1)
    if query.month is not None:
        month = date.fromisoformat(f"{query.month}-01")
    if query.everyone and query.user is not None:
        message = "received both everyone and user; allowed: one of them"
        raise invalid([FieldError(pointer="query:user", message=message)])
    if query.everyone or query.user not in (None, caller.user):
        caller.require(Permission.USER_LIST)
    following, stored = None, None
    if query.everyone:
        days, following = _days_of_all(call, month, query)
    else:
        name = query.user or caller.user
        if name != caller.user:
            call.services.users.require(name)
        days, stored = usage.month_of(name, month)
    return UsagePage(
        days=[] if query.by else [_view(day, call.services) for day in days],
        groups=_groups(days, query.by, call.services) if query.by else [],
        price_per_hour=call.services.settings.GPU_PRICE_PER_HOUR or None,
        asset_bytes=stored,
        next_cursor=following,
    )


def _days_of_all(call: UserCall, month: date, query: UsageQuery) -> tuple[list[UsageRecord], str | None]:
    """A page of all users' days; for groups, as many pages as one request may read."""
    usage, signer = call.services.usage, call.services.pages.signer
    days, following = usage.page(month, limit=query.limit, cursor=query.cursor, signer=signer)
    for _ in range(PAGES_OF_GROUPS - 1 if query.by else 0):
        if following is None:
            break
        more, following = usage.page(month, limit=query.limit, cursor=following, signer=signer)
        days += more
    return days, following


def _groups(days: list[UsageRecord], by: By, services: Api) -> list[UsageGroup]:
    found: dict[str, UsageGroup] = {}
    for piece in (piece for day in days for piece in _pieces(day, services)):
        group = found.setdefault(piece.keys[by], UsageGroup(key=piece.keys[by], jobs=0, gpu_seconds=0, cost=None))
        group.jobs += piece.use.jobs
        group.gpu_seconds = round(group.gpu_seconds + float(piece.use.gpu_seconds), 3)
        if piece.cost is not None:
            group.cost = round((group.cost or 0.0) + float(piece.cost), 6)
    if by == "day":
        return sorted(found.values(), key=lambda group: group.key)
    return sorted(found.values(), key=lambda group: (-(group.cost or 0.0), -group.gpu_seconds, group.key))


def _pieces(day: UsageRecord, services: Api) -> Iterator[_Piece]:
    """The day by endpoint and checkpoint; the rest is of an older release, which counted neither."""
    jobs = sum(day.ended.values()) - sum(use.jobs for use in day.parts.values())
    seconds = day.gpu_seconds - sum((use.gpu_seconds for use in day.parts.values()), Decimal(0))
    parts = dict(day.parts)
    if jobs > 0 or seconds > 0:
        parts[Part("", "")] = PartUse(jobs, seconds)
    for part, use in parts.items():
        hour = hour_of_gpu(services, part.endpoint or services.registry.default)
        cost = use.gpu_seconds * Decimal(str(hour)) / 3600 if hour else None
        keys: dict[By, str] = {"day": day.day, "user": day.user, "endpoint": part.endpoint, "model": part.checkpoint}
        yield _Piece(keys, use, cost)


def _view(day: UsageRecord, services: Api) -> UsageDay:
    costs = [piece.cost for piece in _pieces(day, services) if piece.cost is not None]
    return UsageDay(
        user=day.user,
        day=date.fromisoformat(day.day),
        jobs=sum(day.ended.values()),
        succeeded=day.ended[JobStatus.SUCCEEDED],
        failed=day.ended[JobStatus.FAILED],
        canceled=day.ended[JobStatus.CANCELED],
        expired=day.ended[JobStatus.EXPIRED],
        gpu_seconds=float(day.gpu_seconds),
        cost=float(round(sum(costs, Decimal(0)), 6)) if costs else None,
    )

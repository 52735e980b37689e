"""Routes for usage: jobs, GPU seconds and their cost by user and day."""

from datetime import date
from decimal import Decimal

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import UsageDay, UsagePage
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.usage import UsageRecord
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.problems import invalid

ROUTES = Routes()

MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


class UsageQuery(Query):
    month: str | None = Field(default=None, pattern=MONTH_PATTERN)
    """Such as `2026-11`; None: the current month in UTC."""
    user: str | None = None
    """None: the caller."""
    everyone: bool = False
    limit: int = Field(default=100, ge=1, le=100)
    cursor: str | None = None


@ROUTES.add(
    "GET",
    "/v1/usage",
    problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND, ProblemCode.INVALID_CURSOR),
    permission=Permission.INFERENCE_LIST,
)
def list_usage(call: UserCall, query: UsageQuery) -> UsagePage:
    """List finished jobs, GPU seconds and cost per day of a month: the caller's, another user's, or everyone's."""
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
        days, following = usage.page(month, limit=query.limit, cursor=query.cursor, signer=call.services.pages.signer)
    else:
        name = query.user or caller.user
        if name != caller.user:
            call.services.users.require(name)
        days, stored = usage.month_of(name, month)
    price = call.services.settings.GPU_PRICE_PER_HOUR
    return UsagePage(
        days=[_view(day, price) for day in days],
        price_per_hour=price or None,
        asset_bytes=stored,
        next_cursor=following,
    )


def _view(day: UsageRecord, price: float) -> UsageDay:
    cost = float(round(day.gpu_seconds * Decimal(str(price)) / 3600, 6)) if price else None
    return UsageDay(
        user=day.user,
        day=date.fromisoformat(day.day),
        jobs=sum(day.ended.values()),
        succeeded=day.ended[JobStatus.SUCCEEDED],
        failed=day.ended[JobStatus.FAILED],
        canceled=day.ended[JobStatus.CANCELED],
        expired=day.ended[JobStatus.EXPIRED],
        gpu_seconds=float(day.gpu_seconds),
        cost=cost,
    )

"""What a user has used of their quotas and what is left, in words, in headers and as numbers."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from generate_on_cloud.contract.access import Quotas

DAY_SECONDS: Final = 86400
CONCURRENT_RETRY_SECONDS: Final = 30
_UNITS: Final[Mapping[str, str]] = {
    "jobs_per_day": "requests",
    "concurrent_jobs": "concurrent-requests",
    "megapixel_steps_per_day": "megapixel-steps",
    "jobs_per_month": "requests",
    "megapixel_steps_per_month": "megapixel-steps",
    "usd_per_month": "usd",
    "asset_bytes": "content-bytes",
}
"""`qu` of `RateLimit-Policy`."""


@dataclass(frozen=True)
class QuotaUse:
    """One quota of a user."""

    quota: str
    limit: int
    used: Decimal
    resets_at: datetime | None
    """None: what is used is given back one by one, not at a time."""

    @property
    def left(self) -> Decimal:
        return max(Decimal(0), self.limit - self.used)


def quota_uses(
    quotas: Quotas,
    today: Mapping[str, Any],
    month: Mapping[str, Any],
    load: Mapping[str, Any],
    *,
    now: datetime,
    price_per_hour: float,
) -> list[QuotaUse]:
    """Every quota that is set, from the user's rows `usage#USER#DAY`, `usage#USER#MONTH` and `load#USER`."""
    midnight, next_month = next_midnight(now), month_after(now)
    spent = Decimal(month.get("gpu_seconds", 0)) * Decimal(str(price_per_hour)) / 3600
    used: dict[str, tuple[object, datetime | None]] = {
        "jobs_per_day": (today.get("jobs_sent", 0), midnight),
        "concurrent_jobs": (load.get("open_jobs", 0), None),
        "megapixel_steps_per_day": (today.get("megapixel_steps", 0), midnight),
        "jobs_per_month": (month.get("jobs_sent", 0), next_month),
        "megapixel_steps_per_month": (month.get("megapixel_steps", 0), next_month),
        "usd_per_month": (round(spent, 4), next_month),
        "asset_bytes": (load.get("asset_bytes", 0), None),
    }
    limits = quotas.model_dump(exclude_none=True)
    return [
        QuotaUse(quota, limits[quota], max(Decimal(0), Decimal(str(amount))), resets_at)
        for quota, (amount, resets_at) in used.items()
        if quota in limits
    ]


def next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)


def month_after(now: datetime) -> datetime:
    first = now.date().replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return datetime.combine(following, datetime.min.time(), tzinfo=now.tzinfo)


def job_headers(uses: Sequence[QuotaUse], *, now: datetime) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit` for the quotas of jobs, as draft-ietf-httpapi-ratelimit-headers-10 defines.

    Empty without such a quota.
    """
    shown = [use for use in uses if use.quota != "asset_bytes"]
    policies = [
        f'"{use.quota}";q={use.limit};qu="{_UNITS[use.quota]}"'
        + (f";w={_window(use.quota, now=now)}" if use.resets_at else "")
        for use in shown
    ]
    limits = [
        f'"{use.quota}";r={use.left.to_integral_value(ROUND_DOWN)}'
        + (f";t={seconds_until(use.resets_at, now=now)}" if use.resets_at else "")
        for use in shown
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)} if shown else {}


def _window(quota: str, *, now: datetime) -> int:
    """Seconds of the day or month that a quota is for."""
    if not quota.endswith("_month"):
        return DAY_SECONDS
    return monthrange(now.year, now.month)[1] * DAY_SECONDS


def seconds_until(moment: datetime, *, now: datetime) -> int:
    """Whole seconds after which it has come."""
    return max(1, int((moment - now).total_seconds()) + 1)


def refusal(use: QuotaUse, need: Decimal) -> str:
    """Why this quota has no room for a job."""
    if use.resets_at is None:
        return f"Your quota {use.quota} is used up: {use.used} of {use.limit} jobs are open; wait until one has ended."
    time, when = "this month" if use.quota.endswith("_month") else "today", f"It resets at {use.resets_at.isoformat()}."
    if "steps" in use.quota:
        left = f"{use.left} of {use.limit} megapixel-steps left {time}"
        return f"Your quota {use.quota} has {left}; this job counts {need}. {when}"
    unit = "dollars" if use.quota.startswith("usd") else "jobs"
    return f"Your quota {use.quota} is used up: {use.used} of {use.limit} {unit} {time}. {when}"


def wait_seconds(use: QuotaUse, *, now: datetime) -> int:
    """After which a job that this quota refused may be sent again."""
    return CONCURRENT_RETRY_SECONDS if use.resets_at is None else seconds_until(use.resets_at, now=now)

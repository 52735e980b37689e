"""What a user has used of their quotas and what is left, in words, in headers and as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from generate_on_cloud.contract.access import Quotas

DAY_SECONDS: Final = 86400
_UNITS: Final[Mapping[str, str]] = {
    "jobs_per_day": "requests",
    "concurrent_jobs": "concurrent-requests",
    "megapixel_steps_per_day": "megapixel-steps",
    "asset_bytes": "content-bytes",
}
"""`qu` of `RateLimit-Policy`."""
_OF_JOBS: Final = ("jobs_per_day", "concurrent_jobs", "megapixel_steps_per_day")


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


def quota_uses(quotas: Quotas, today: Mapping[str, Any], load: Mapping[str, Any], *, now: datetime) -> list[QuotaUse]:
    """Every quota that is set, from the user's rows `usage#USER#DAY` and `load#USER`."""
    midnight = next_midnight(now)
    used: dict[str, tuple[object, datetime | None]] = {
        "jobs_per_day": (today.get("jobs_sent", 0), midnight),
        "concurrent_jobs": (load.get("open_jobs", 0), None),
        "megapixel_steps_per_day": (today.get("megapixel_steps", 0), midnight),
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


def job_headers(uses: Sequence[QuotaUse], *, now: datetime) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit` for the quotas of jobs, as draft-ietf-httpapi-ratelimit-headers-10 defines.

    Empty without such a quota.
    """
    shown = [use for use in uses if use.quota in _OF_JOBS]
    policies = [
        f'"{use.quota}";q={use.limit};qu="{_UNITS[use.quota]}"' + (f";w={DAY_SECONDS}" if use.resets_at else "")
        for use in shown
    ]
    limits = [
        f'"{use.quota}";r={use.left.to_integral_value(ROUND_DOWN)}'
        + (f";t={seconds_until(use.resets_at, now=now)}" if use.resets_at else "")
        for use in shown
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)} if shown else {}


def seconds_until(moment: datetime, *, now: datetime) -> int:
    """Whole seconds after which it has come."""
    return max(1, int((moment - now).total_seconds()) + 1)

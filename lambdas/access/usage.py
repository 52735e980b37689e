"""Each user's usage by day, and the quotas that limit it: counted in the access table, exactly once for each job that
is created or finished.

usage#USER#DAY   counts of one day of UTC; listed by month
load#USER        what is in use now
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.quota_use import QuotaUse, job_headers, quota_uses, seconds_until
from lambdas.access.table import AccessTable
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import Action, Condition, Update
from lambdas.problems import ProblemError

KEPT_DAYS = 400
ENDS = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED)
ROOM_TODAY = "room in the day's quotas"
FREE_PLACE = "a place among the user's open jobs"
_CONCURRENT_RETRY_SECONDS = 30


@dataclass(frozen=True)
class UsageRecord:
    """One user's usage on one day."""

    user: str
    day: str
    ended: Mapping[JobStatus, int]
    gpu_seconds: Decimal
    megapixel_steps: Decimal
    """Only for jobs sent while the user had a quota."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "UsageRecord":
        return cls(
            user=row["user"],
            day=row["day"],
            ended={status: int(row.get(status.value, 0)) for status in ENDS},
            gpu_seconds=row.get("gpu_seconds", Decimal(0)),
            megapixel_steps=row.get("megapixel_steps", Decimal(0)),
        )


@dataclass(frozen=True)
class Charge:
    """What a job counts against its user's quotas; stored with the job, so that exactly that is returned."""

    user: str
    day: str
    """ISO date, UTC."""
    megapixel_steps: Decimal


@dataclass(frozen=True)
class UsageStore:
    access: AccessTable

    def admission(self, charge: Charge, quotas: Quotas) -> list[Action]:
        """The two conditional updates that admit a job, for the transaction that creates it."""
        values: dict[str, object] = {":one": 1, ":steps": charge.megapixel_steps}
        conditions = []
        if quotas.jobs_per_day is not None:
            values[":jobs"] = quotas.jobs_per_day
            conditions.append("(attribute_not_exists(jobs_sent) OR jobs_sent < :jobs)")
        if quotas.megapixel_steps_per_day is not None:
            values[":room"] = quotas.megapixel_steps_per_day - charge.megapixel_steps
            conditions.append("(attribute_not_exists(megapixel_steps) OR megapixel_steps <= :room)")
        load_values: dict[str, object] = {":one": 1}
        if quotas.concurrent_jobs is not None:
            load_values[":most"] = quotas.concurrent_jobs
        return [
            self._count(charge.user, charge.day, "jobs_sent :one, megapixel_steps :steps", values, conditions),
            Update(
                table=self.access.table,
                key={"access_id": load_id(charge.user)},
                expression="ADD open_jobs :one",
                values=load_values,
                condition=Condition(FREE_PLACE, "attribute_not_exists(open_jobs) OR open_jobs < :most")
                if ":most" in load_values
                else None,
            ),
        ]

    def uses(self, user: str, quotas: Quotas, *, now: datetime) -> list[QuotaUse]:
        """What the user has used of each quota that is set, and what is left; one call."""
        today, load = _usage_id(user, now.date().isoformat()), load_id(user)
        rows = {row["access_id"]: row for row in self.access.rows([today, load])}
        return quota_uses(quotas, rows.get(today, {}), rows.get(load, {}), now=now)

    def require_possible(self, charge: Charge, quotas: Quotas) -> None:
        """Refuse a job that would not even fit into an empty day.

        Raises:
            ProblemError: `quota_exceeded`; it names the quota.
        """
        steps = quotas.megapixel_steps_per_day
        never = [name for name in ("jobs_per_day", "concurrent_jobs") if getattr(quotas, name) == 0]
        if never:
            raise ProblemError(ProblemCode.QUOTA_EXCEEDED, f"Your quota {never[0]} is 0: you may send no jobs.")
        if steps is not None and charge.megapixel_steps > steps:
            counts = f"This job counts {charge.megapixel_steps} megapixel-steps"
            detail = f"{counts}; your quota megapixel_steps_per_day is {steps}."
            raise ProblemError(ProblemCode.QUOTA_EXCEEDED, detail)

    def exceeded(self, charge: Charge, quotas: Quotas, *, now: datetime) -> ProblemError:
        """Which quotas refused a job, read afterwards."""
        uses = self.uses(charge.user, quotas, now=now)
        need = {"jobs_per_day": Decimal(1), "concurrent_jobs": Decimal(1)}
        need["megapixel_steps_per_day"] = charge.megapixel_steps
        hit = [use for use in uses if use.left < need.get(use.quota, 0)]
        wait = max((_wait(use, now=now) for use in hit), default=1)
        said = " ".join(_words(use, need[use.quota]) for use in hit)
        detail = said or "A quota was used up a moment ago and has room again; send the job again."
        headers = job_headers(uses, now=now)
        return ProblemError(ProblemCode.QUOTA_EXCEEDED, detail, retry_after=wait, headers=headers)

    def recount(self, old: Charge, new: Charge, quotas: Quotas) -> list[Action]:
        """The conditional updates that replace the megapixel-steps of `old` by those of `new`."""
        same_day = (old.user, old.day) == (new.user, new.day)
        more = new.megapixel_steps - (old.megapixel_steps if same_day else 0)
        values: dict[str, object] = {":steps": more}
        conditions = []
        if quotas.megapixel_steps_per_day is not None and more > 0:
            values[":room"] = quotas.megapixel_steps_per_day - more
            conditions.append("(attribute_not_exists(megapixel_steps) OR megapixel_steps <= :room)")
        counts = [self._count(new.user, new.day, "megapixel_steps :steps", values, conditions)]
        if old.megapixel_steps and not same_day:
            back = {":steps": -old.megapixel_steps}
            counts.append(self._count(old.user, old.day, "megapixel_steps :steps", back, []))
        return counts

    def release(self, charge: Charge, *, unsent: bool) -> list[Action]:
        """Free a job's place among the open ones; a job that was never sent also returns its count of the day."""
        key = {"access_id": load_id(charge.user)}
        freed = Update(table=self.access.table, key=key, expression="ADD open_jobs :less", values={":less": -1})
        if not unsent:
            return [freed]
        values = {":less": -1, ":steps": -charge.megapixel_steps}
        return [freed, self._count(charge.user, charge.day, "jobs_sent :less, megapixel_steps :steps", values, [])]

    def ended(
        self, user: str, status: JobStatus, *, day: date, gpu_seconds: Decimal, unused: Charge | None = None
    ) -> list[Action]:
        """The updates that count a finished job, and return the megapixel-steps if no worker ever had it."""
        added = f"{status.value} :one, gpu_seconds :seconds"
        values: dict[str, object] = {":one": 1, ":seconds": gpu_seconds}
        if unused is None:
            return [self._count(user, day.isoformat(), added, values, [])]
        back = {":back": -unused.megapixel_steps}
        if (unused.user, unused.day) == (user, day.isoformat()):  # a transaction can change a row only once
            return [self._count(user, unused.day, f"{added}, megapixel_steps :back", {**values, **back}, [])]
        return [
            self._count(user, day.isoformat(), added, values, []),
            self._count(unused.user, unused.day, "megapixel_steps :back", back, []),
        ]

    def month_of(self, user: str, month: date) -> tuple[list[UsageRecord], int]:
        """A user's days in the month that begins with `month`, and the current bytes of their model files; one call."""
        days = [month + timedelta(days=number) for number in range(31)]
        ids = [_usage_id(user, day.isoformat()) for day in days if day.month == month.month]
        rows = self.access.rows([*ids, load_id(user)])
        counted = [UsageRecord.from_row(row) for row in rows if row["access_id"] != load_id(user)]
        return counted, sum(int(row.get("asset_bytes", 0)) for row in rows if row["access_id"] == load_id(user))

    def page(
        self, month: date, *, limit: int, cursor: str | None, signer: CursorSigner
    ) -> tuple[list[UsageRecord], str | None]:
        """All users' days in a month, by day and user; one call."""
        rows, following = self.access.page(_listing(month.isoformat()), limit=limit, cursor=cursor, signer=signer)
        return [UsageRecord.from_row(row) for row in rows], following

    def _count(
        self, user: str, day: str, added: str, values: Mapping[str, object], conditions: Sequence[str]
    ) -> Action:
        ends = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) + KEPT_DAYS * 86400
        fixed = {":user": user, ":day": day, ":listing": _listing(day), ":place": f"{day}#{user}", ":ends": ends}
        return Update(
            table=self.access.table,
            key={"access_id": _usage_id(user, day)},
            expression="SET #user = :user, #day = :day, listing = :listing, place = :place, expires_at = :ends ADD "
            + added,
            values={**values, **fixed},
            condition=Condition(ROOM_TODAY, " AND ".join(conditions)) if conditions else None,
            names=["user", "day"],
        )


def _usage_id(user: str, day: str) -> str:
    return f"usage#{user}#{day}"


def load_id(user: str) -> str:
    return f"load#{user}"


def _listing(day: str) -> str:
    return f"usage#{day[:7]}"


def _words(use: QuotaUse, need: Decimal) -> str:
    """Why this quota has no room for a job."""
    if use.quota == "concurrent_jobs":
        return (
            f"Your quota concurrent_jobs is used up: {use.used} of {use.limit} jobs are open; wait until one has ended."
        )
    when = f"It resets at {use.resets_at.isoformat()}." if use.resets_at else ""
    if use.quota == "jobs_per_day":
        return f"Your quota jobs_per_day is used up: {use.used} of {use.limit} jobs today. {when}"
    left = f"{use.left} of {use.limit} megapixel-steps left today"
    return f"Your quota {use.quota} has {left}; this job counts {need}. {when}"


def _wait(use: QuotaUse, *, now: datetime) -> int:
    return _CONCURRENT_RETRY_SECONDS if use.resets_at is None else seconds_until(use.resets_at, now=now)

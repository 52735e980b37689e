"""Each user's usage by day, and the quotas that limit it: counted in the access table, exactly once for each job that
is created or finished.

usage#USER#DAY   counts of one day of UTC; listed by month
usage#USER#MONTH counts of one month, of jobs whose user had a monthly quota; not listed
load#USER        what is in use now
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.quota_use import QuotaUse, job_headers, quota_uses, refusal, wait_seconds
from lambdas.access.table import AccessTable
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import Action, Condition, Update
from lambdas.problems import ProblemError

KEPT_DAYS = 400
ENDS = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED)
ROOM_TODAY = "room in the day's quotas"
FREE_PLACE = "a place among the user's open jobs"
_DAY, _MONTH = len("2026-11-30"), len("2026-11")
_ANY = Decimal("0.000001")
"""What a job needs of a quota that has room as long as anything is left."""


_PART_JOBS, _PART_SECONDS = "jobs#", "seconds#"
"""Attributes of a day's row, followed by `ENDPOINT#CHECKPOINT`: in one row, so that counting takes no further write."""


@dataclass(frozen=True)
class Part:
    """Where jobs ran, and with what."""

    endpoint: str
    checkpoint: str
    """Empty for a task without one."""

    def counted_in(self, day: Update) -> Update:
        """The update of a day's row that counts `:one` job of `:seconds`, with what it adds to this part of the day."""
        name = f"{self.endpoint}#{self.checkpoint}"
        return replace(
            day,
            expression=f"{day.expression}, #part_jobs :one, #part_seconds :seconds",
            aliases={"part_jobs": _PART_JOBS + name, "part_seconds": _PART_SECONDS + name},
        )


@dataclass(frozen=True)
class PartUse:
    jobs: int
    gpu_seconds: Decimal


@dataclass(frozen=True)
class UsageRecord:
    """One user's usage on one day."""

    user: str
    day: str
    ended: Mapping[JobStatus, int]
    gpu_seconds: Decimal
    megapixel_steps: Decimal
    """Only for jobs sent while the user had a quota."""
    parts: Mapping[Part, PartUse] = field(default_factory=dict)
    """The same jobs and seconds by endpoint and checkpoint; days of older releases have none."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "UsageRecord":
        return cls(
            user=row["user"],
            day=row["day"],
            ended={status: int(row.get(status.value, 0)) for status in ENDS},
            gpu_seconds=row.get("gpu_seconds", Decimal(0)),
            megapixel_steps=row.get("megapixel_steps", Decimal(0)),
            parts=_parts(row),
        )


def _parts(row: Mapping[str, Any]) -> dict[Part, PartUse]:
    names = [name.removeprefix(_PART_JOBS) for name in row if name.startswith(_PART_JOBS)]
    return {
        Part(*name.split("#", 1)): PartUse(int(row[_PART_JOBS + name]), row.get(_PART_SECONDS + name, Decimal(0)))
        for name in names
    }


@dataclass(frozen=True)
class Charge:
    """What a job counts against its user's quotas; stored with the job, so that exactly that is returned."""

    user: str
    day: str
    """ISO date, UTC."""
    megapixel_steps: Decimal
    monthly: bool = False
    """Whether it also counts in the month of `day`: the user had a monthly quota."""


@dataclass(frozen=True)
class UsageStore:
    access: AccessTable
    price_per_hour: float = 0.0
    """US dollars for an hour of a GPU; 0: unknown, or never needed."""

    def admission(self, charge: Charge, quotas: Quotas) -> list[Action]:
        """The conditional updates that admit a job, for the transaction that creates it."""
        one_job, added = {":one": 1, ":steps": charge.megapixel_steps}, "jobs_sent :one, megapixel_steps :steps"
        daily = _rooms(charge.megapixel_steps, jobs=quotas.jobs_per_day, steps=quotas.megapixel_steps_per_day)
        monthly = _rooms(
            charge.megapixel_steps,
            jobs=quotas.jobs_per_month,
            steps=quotas.megapixel_steps_per_month,
            seconds=self._seconds(quotas.usd_per_month),
        )
        load: dict[str, object] = {":one": 1}
        if quotas.concurrent_jobs is not None:
            load[":most"] = quotas.concurrent_jobs
        free = Condition(FREE_PLACE, "attribute_not_exists(open_jobs) OR open_jobs < :most")
        place = Update(
            table=self.access.table,
            key={"access_id": load_id(charge.user)},
            expression="ADD open_jobs :one",
            values=load,
            condition=free if ":most" in load else None,
        )
        return [
            self._count(charge.user, charge.day, added, {**one_job, **daily.values}, daily.conditions),
            *self._count_month(charge, added, {**one_job, **monthly.values}, monthly.conditions),
            place,
        ]

    def _seconds(self, usd: int | None) -> Decimal | None:
        """GPU seconds for so many dollars; None: no limit."""
        return None if usd is None else Decimal(usd) * 3600 / Decimal(str(self.price_per_hour))

    def uses(self, user: str, quotas: Quotas, *, now: datetime) -> list[QuotaUse]:
        """What the user has used of each quota that is set, and what is left; one call."""
        day = now.date().isoformat()
        ids = [_usage_id(user, day), _usage_id(user, day[:7]), load_id(user)]
        rows = {row["access_id"]: row for row in self.access.rows(ids)}
        today, month, load = (rows.get(row_id, {}) for row_id in ids)
        return quota_uses(quotas, today, month, load, now=now, price_per_hour=self.price_per_hour)

    def require_possible(self, charge: Charge, quotas: Quotas) -> None:
        """Refuse a job that would not even fit into an empty day and month.

        Raises:
            ProblemError: `quota_exceeded`; it names the quota.
        """
        if quotas.usd_per_month is not None and not self.price_per_hour:
            detail = "Your quota usd_per_month cannot be counted: this deployment does not know its price per hour."
            raise ProblemError(ProblemCode.QUOTA_EXCEEDED, detail)
        limits = quotas.model_dump(exclude_none=True, exclude={"asset_bytes"})
        for name, limit in limits.items():
            if limit == 0 and "steps" not in name:
                raise ProblemError(ProblemCode.QUOTA_EXCEEDED, f"Your quota {name} is 0: you may send no jobs.")
            if "steps" in name and charge.megapixel_steps > limit:
                counts = f"This job counts {charge.megapixel_steps} megapixel-steps"
                raise ProblemError(ProblemCode.QUOTA_EXCEEDED, f"{counts}; your quota {name} is {limit}.")

    def exceeded(self, charge: Charge, quotas: Quotas, *, now: datetime) -> ProblemError:
        """Which quotas refused a job, read afterwards."""
        uses = self.uses(charge.user, quotas, now=now)
        need = {use.quota: charge.megapixel_steps if "steps" in use.quota else _ANY for use in uses}
        need |= {"asset_bytes": Decimal(0)}
        hit = [use for use in uses if use.left < need[use.quota]]
        wait = max((wait_seconds(use, now=now) for use in hit), default=1)
        said = " ".join(refusal(use, need[use.quota]) for use in hit)
        detail = said or "A quota was used up a moment ago and has room again; send the job again."
        headers = job_headers(uses, now=now)
        return ProblemError(ProblemCode.QUOTA_EXCEEDED, detail, retry_after=wait, headers=headers)

    def recount(self, old: Charge, new: Charge, quotas: Quotas) -> list[Action]:
        """The conditional updates that replace the megapixel-steps of `old` by those of `new`."""
        added = "megapixel_steps :steps"
        counts: list[Action] = []
        for length, limit in ((_DAY, quotas.megapixel_steps_per_day), (_MONTH, quotas.megapixel_steps_per_month)):
            if length == _MONTH and not new.monthly:
                continue
            count = partial(self._count_in, length)
            same = old.day[:length] == new.day[:length]
            more = new.megapixel_steps - (old.megapixel_steps if same else 0)
            room = _rooms(more, steps=limit if more > 0 else None)
            counts += count(new, added, {":steps": more, **room.values}, room.conditions)
            if old.megapixel_steps and not same:
                counts += count(old, added, {":steps": -old.megapixel_steps}, [])
        return counts

    def release(self, charge: Charge, *, unsent: bool) -> list[Action]:
        """Free a job's place among the open ones; a job that was never sent also returns what it counted."""
        key = {"access_id": load_id(charge.user)}
        freed = Update(table=self.access.table, key=key, expression="ADD open_jobs :less", values={":less": -1})
        if not unsent:
            return [freed]
        values, added = {":less": -1, ":steps": -charge.megapixel_steps}, "jobs_sent :less, megapixel_steps :steps"
        return [
            freed,
            self._count(charge.user, charge.day, added, values, []),
            *self._count_month(charge, added, values),
        ]

    def ended(
        self,
        user: str,
        status: JobStatus,
        *,
        day: date,
        gpu_seconds: Decimal,
        charge: Charge | None,
        ran: bool,
        part: Part,
    ) -> list[Action]:
        """The updates that count a finished job, and return its megapixel-steps if no worker ever had it."""
        own = _usage_id(user, day.isoformat())
        counts = self._ended(user, status, day=day, gpu_seconds=gpu_seconds, charge=charge, ran=ran)
        return [part.counted_in(count) if count.key == {"access_id": own} else count for count in counts]

    def _ended(
        self, user: str, status: JobStatus, *, day: date, gpu_seconds: Decimal, charge: Charge | None, ran: bool
    ) -> list[Update]:
        added = f"{status.value} :one, gpu_seconds :seconds"
        values: dict[str, object] = {":one": 1, ":seconds": gpu_seconds}
        back = {} if ran or charge is None else {":back": -charge.megapixel_steps}
        given = "megapixel_steps :back"
        if charge is None or (not back and not charge.monthly):
            return [self._count(user, day.isoformat(), added, values, [])]
        finished, month = replace(charge, user=user, day=day.isoformat()), {":seconds": gpu_seconds}
        counts: list[Update] = []
        for length, own, own_added in ((_DAY, values, added), (_MONTH, month, "gpu_seconds :seconds")):
            if length == _MONTH and not charge.monthly:
                continue
            count = partial(self._count_in, length)
            if not back:
                counts += count(finished, own_added, own, [])
            elif charge.day[:length] == finished.day[:length]:  # a transaction can change a row only once
                counts += count(finished, f"{own_added}, {given}", {**own, **back}, [])
            else:
                counts += [*count(finished, own_added, own, []), *count(charge, given, back, [])]
        return counts

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

    def _count_in(
        self, length: int, charge: Charge, added: str, values: Mapping[str, object], conditions: Sequence[str]
    ) -> list[Update]:
        """Count in the day (_DAY) or the month (_MONTH) of the charge."""
        if length == _MONTH:
            return self._count_month(charge, added, values, conditions)
        return [self._count(charge.user, charge.day, added, values, conditions)]

    def _count_month(
        self, charge: Charge, added: str, values: Mapping[str, object], conditions: Sequence[str] = ()
    ) -> list[Update]:
        """Count in the month of a job whose user had a monthly quota when it was sent; else nothing."""
        if not charge.monthly:
            return []
        month = charge.day[:_MONTH]
        return [
            Update(
                table=self.access.table,
                key={"access_id": _usage_id(charge.user, month)},
                expression=f"SET expires_at = :ends ADD {added}",
                values={**values, ":ends": _ends(f"{month}-01")},
                condition=Condition(ROOM_TODAY, " AND ".join(conditions)) if conditions else None,
            )
        ]

    def _count(
        self, user: str, day: str, added: str, values: Mapping[str, object], conditions: Sequence[str]
    ) -> Update:
        fixed = {":user": user, ":day": day, ":listing": _listing(day), ":place": f"{day}#{user}", ":ends": _ends(day)}
        return Update(
            table=self.access.table,
            key={"access_id": _usage_id(user, day)},
            expression="SET #user = :user, #day = :day, listing = :listing, place = :place, expires_at = :ends ADD "
            + added,
            values={**values, **fixed},
            condition=Condition(ROOM_TODAY, " AND ".join(conditions)) if conditions else None,
            names=["user", "day"],
        )


@dataclass(frozen=True)
class _Rooms:
    """Conditions on a row of usage, with their values."""

    conditions: list[str]
    values: dict[str, object]


def _rooms(
    needed: Decimal, *, jobs: int | None = None, steps: int | None = None, seconds: Decimal | None = None
) -> _Rooms:
    """What must be true of the counts before a job is added that needs so many megapixel-steps."""
    rooms = _Rooms([], {})
    if jobs is not None:
        rooms.values[":jobs"] = jobs
        rooms.conditions.append("(attribute_not_exists(jobs_sent) OR jobs_sent < :jobs)")
    if steps is not None:
        rooms.values[":room"] = steps - needed
        rooms.conditions.append("(attribute_not_exists(megapixel_steps) OR megapixel_steps <= :room)")
    if seconds is not None:
        rooms.values[":most_seconds"] = round(seconds, 3)
        rooms.conditions.append("(attribute_not_exists(gpu_seconds) OR gpu_seconds < :most_seconds)")
    return rooms


def _ends(day: str) -> int:
    """When the row of a day is deleted."""
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) + KEPT_DAYS * 86400


def _usage_id(user: str, day: str) -> str:
    return f"usage#{user}#{day}"


def load_id(user: str) -> str:
    return f"load#{user}"


def _listing(day: str) -> str:
    return f"usage#{day[:7]}"

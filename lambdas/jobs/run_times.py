"""How long an endpoint's recent jobs ran: ten of them in one row of the jobs table, overwritten in turn.

A job's time grows with its megapixel-steps, so an estimate is a line through the recent ones, with how far they were
from it as its low and high end.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from lambdas.aws.rows import from_item, to_item
from lambdas.jobs.record import JobRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SLOTS = 10
REMEMBERED_SECONDS = 60.0
STARTED_SECONDS = 5.0
"""A job whose worker needed longer to begin has waited for an instance to start."""
_SPREAD = (0.8, 1.25)
"""The least distance of the low and high end from the estimate."""


@dataclass(frozen=True)
class Span:
    """Seconds: the estimate, and what is about the least and the most."""

    low: float = 0.0
    expected: float = 0.0
    high: float = 0.0

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, low: float, expected: float, high: float) -> "Span":
        return Span(self.low * low, self.expected * expected, self.high * high)


UNKNOWN_START = Span(120.0, 300.0, 600.0)
"""Until an endpoint has been seen to start: machine, image and models."""


@dataclass(frozen=True)
class Pace:
    """An endpoint's recent jobs."""

    runs: tuple[tuple[float, float], ...] = ()
    """Megapixel-steps and seconds."""
    starts: tuple[float, ...] = ()
    """Seconds that jobs waited for an instance to start."""

    def run(self, work: float) -> Span | None:
        """How long a job of so many megapixel-steps runs; None if there are no recent ones."""
        if not self.runs:
            return None
        fixed, rate = self._line()
        off = [seconds / guess for done, seconds in self.runs if (guess := fixed + rate * done) > 0] or [1.0]
        expected = fixed + rate * work
        return _about(expected, min(off), max(off))

    def start(self) -> Span:
        """How long an instance takes to start."""
        if not self.starts:
            return UNKNOWN_START
        mean = fmean(self.starts)
        return _about(mean, min(self.starts) / mean, max(self.starts) / mean)

    def _line(self) -> tuple[float, float]:
        """Seconds of a job without steps, and seconds for each megapixel-step; neither is negative."""
        works, seconds = [work for work, _ in self.runs], [took for _, took in self.runs]
        mean_work, mean = fmean(works), fmean(seconds)
        spread = sum((work - mean_work) ** 2 for work in works)
        if spread == 0:  # nothing to tell the two apart: all of it grows, if there are steps at all
            return (0.0, mean / mean_work) if mean_work else (mean, 0.0)
        rate = sum((work - mean_work) * (took - mean) for work, took in self.runs) / spread
        if rate <= 0:
            return mean, 0.0
        if rate * mean_work > mean:  # through the origin
            return 0.0, sum(work * took for work, took in self.runs) / sum(work**2 for work in works)
        return mean - rate * mean_work, rate


def _about(expected: float, least: float, most: float) -> Span:
    return Span(expected * min(least, _SPREAD[0]), expected, expected * max(most, _SPREAD[1]))


@dataclass
class RunTimes:
    client: "DynamoDBClient"
    table: str
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Pace]] = field(default_factory=dict)

    def note(self, job: JobRecord, *, starting: float = 0.0) -> None:
        """Record the run time of a job that has succeeded, and the seconds it spent `starting`; one call."""
        if job.started_at is None or job.finished_at is None:
            return
        slot = int(job.finished_at.timestamp() * 1000) % SLOTS
        seconds = (job.finished_at - job.started_at).total_seconds()
        values = {f"seconds_{slot}": _thousandths(seconds), f"work_{slot}": _thousandths(job.megapixel_steps)}
        if starting >= STARTED_SECONDS:
            values[f"start_{slot}"] = _thousandths(starting)
        self.client.update_item(
            TableName=self.table,
            Key=_key(job.endpoint),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=to_item({f":{name}": value for name, value in values.items()}),
        )

    def of(self, endpoint: str) -> Pace:
        """Its recent jobs, as of at most a minute ago."""
        until, pace = self._known.get(endpoint, (0.0, Pace()))
        if self.monotonic() < until:
            return pace
        row = from_item(self.client.get_item(TableName=self.table, Key=_key(endpoint)).get("Item", {}))
        kept = {name: float(value) / 1000 for name, value in row.items() if name != "job_id"}
        slots = [slot for slot in range(SLOTS) if f"seconds_{slot}" in kept]
        pace = Pace(
            runs=tuple((kept.get(f"work_{slot}", 0.0), kept[f"seconds_{slot}"]) for slot in slots),
            starts=tuple(value for name, value in kept.items() if name.startswith("start_")),
        )
        self._known[endpoint] = (self.monotonic() + REMEMBERED_SECONDS, pace)
        return pace


def _thousandths(number: object) -> int:
    return max(0, int(float(str(number)) * 1000))


def _key(endpoint: str) -> "dict[str, dict[str, str]]":
    return {"job_id": {"S": f"run_times#{endpoint}"}}

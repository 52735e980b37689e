"""Which endpoint a job goes to: the named one, else the caller's default, else the least loaded one they may use.

Load is the number of open jobs per GPU that the endpoint may grow to. If loads are equal, an endpoint with a running
instance comes before a sleeping one, then one that recently got a job with the same checkpoint, which it need not load
again, then the template's endpoint, then the first by name. Open jobs are counted in the transactions that create and
settle them:

endpoint_load#ENDPOINT#SHARD   `access_id`; jobs of one endpoint are spread over SHARDS rows, because concurrent
                               transactions on one row conflict; each row keeps the checkpoint of its last job
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.endpoints import EndpointStatus
from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.instances import GPUS
from lambdas.access.caller import Caller
from lambdas.access.table import AccessTable
from lambdas.aws.rows import Action, Keys, Update, read_rows
from lambdas.endpoints.instance_counts import InstanceCounts
from lambdas.endpoints.record import EndpointRecord
from lambdas.endpoints.refusals import being_deleted, not_in_service
from lambdas.endpoints.registry import EndpointRegistry
from lambdas.endpoints.sagemaker import TAKES_JOBS
from lambdas.problems import ProblemError, invalid, shortened

REMEMBERED_SECONDS = 15.0
SHARDS = 4
KEPT = timedelta(days=60)
"""After the last new job; no job is open for that long, so an expired row would count none."""
_PREFIX = "endpoint_load"
POINTER = "/endpoint"
_IN_SERVICE = frozenset({EndpointStatus.IN_SERVICE, EndpointStatus.UPDATING, EndpointStatus.UPDATE_ROLLBACK_FAILED})


@dataclass(frozen=True)
class Activity:
    """Of one endpoint."""

    open_jobs: int = 0
    changed_at: datetime | None = None
    """When a job was last created or settled there; None: never, or only under an older release."""


@dataclass(frozen=True)
class EndpointLoad:
    access: AccessTable

    def take(self, endpoint: str, job_id: str, *, made: datetime, checkpoint: str | None = None) -> Action:
        """The update that counts a new job, for the transaction that creates it.

        Args:
            checkpoint: the name of its checkpoint; None for a job that draws nothing.
        """
        values: dict[str, object] = {":one": 1, ":ends": int((made + KEPT).timestamp()), ":now": made}
        drawn_with = ""
        if checkpoint is not None:
            drawn_with, values[":checkpoint"] = ", drawn_with = :checkpoint", checkpoint
        expression = f"SET expires_at = :ends, changed_at = :now{drawn_with} ADD open_jobs :one"
        return self._count(endpoint, job_id, expression, values)

    def free(self, endpoint: str, job_id: str, *, now: datetime) -> Action:
        """The update that stops counting a job, for the transaction that settles or deletes it."""
        return self._count(endpoint, job_id, "SET changed_at = :now ADD open_jobs :less", {":less": -1, ":now": now})

    def _count(self, endpoint: str, job_id: str, expression: str, values: dict[str, object]) -> Action:
        shard = int(job_id[-1], 16) % SHARDS
        key = {"access_id": f"{_PREFIX}#{endpoint}#{shard}"}
        return Update(table=self.access.table, key=key, expression=expression, values=values)

    def keys(self, endpoints: Iterable[str]) -> Keys:
        """Keys of the rows that count their jobs."""
        rows = [{"access_id": f"{_PREFIX}#{endpoint}#{shard}"} for endpoint in endpoints for shard in range(SHARDS)]
        return {self.access.table: rows}

    def in_rows(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Counter[str]:
        """Open jobs by endpoint, according to the rows of `keys`; 0 for an endpoint that never had any."""
        counted: Counter[str] = Counter()
        for endpoint, row in self._by_endpoint(rows):
            counted[endpoint] += int(row["open_jobs"])
        return counted

    def recent_checkpoints(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[tuple[str, str]]:
        """Pairs of an endpoint and a checkpoint of its last jobs, according to the rows of `keys`."""
        return {(endpoint, row["drawn_with"]) for endpoint, row in self._by_endpoint(rows) if "drawn_with" in row}

    def activity(self, endpoints: Sequence[str]) -> dict[str, Activity]:
        """By endpoint; one call per 25 endpoints."""
        found = {endpoint: Activity() for endpoint in endpoints}
        rows = read_rows(self.access.client, self.keys(endpoints), consistent=True)
        for endpoint, row in self._by_endpoint(rows):
            before = found[endpoint]
            moments = [before.changed_at] if before.changed_at is not None else []
            moments += [datetime.fromisoformat(row["changed_at"])] if "changed_at" in row else []
            found[endpoint] = Activity(before.open_jobs + int(row["open_jobs"]), max(moments, default=None))
        return found

    def of(self, endpoints: Sequence[str]) -> Counter[str]:
        """Open jobs by endpoint; one call per 25 endpoints."""
        return self.in_rows(read_rows(self.access.client, self.keys(endpoints), consistent=True))

    def _by_endpoint(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for row in rows.get(self.access.table, []):
            _, endpoint, _ = row["access_id"].split("#")
            yield endpoint, row


@dataclass(frozen=True)
class Candidate:
    """An endpoint that takes jobs."""

    name: str
    gpus: int
    """GPUs at its maximum number of instances."""
    asleep: bool = False
    """It has no running instance."""


@dataclass(frozen=True)
class EndpointChoice:
    """One endpoint, or several of which the least loaded is used."""

    candidates: Sequence[Candidate]
    """At least one; the first is used if several have the least load."""
    load: EndpointLoad | None = None
    """Counts their jobs; None if there is only one candidate."""

    @property
    def first(self) -> str:
        return self.candidates[0].name

    @property
    def keys(self) -> Keys:
        """Keys of the rows with their loads, to read along with other rows."""
        return self.load.keys(each.name for each in self.candidates) if self.load else {}

    def least_loaded(self, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, checkpoint: str | None = None) -> str:
        """Its name, according to the rows of `keys`, for a job with this checkpoint."""
        if self.load is None:
            return self.first
        loads, recent = self.load.in_rows(rows), self.load.recent_checkpoints(rows)

        def rank(each: Candidate) -> tuple[float, bool, bool]:
            return loads[each.name] / each.gpus, each.asleep, (each.name, checkpoint) not in recent

        return min(self.candidates, key=rank).name


@dataclass
class EndpointChooser:
    """Remembers the endpoints for a few seconds; the transaction that sends a job checks that none is being deleted."""

    registry: EndpointRegistry
    load: EndpointLoad
    instances: InstanceCounts
    default_gpus: int
    """GPUs of the template's endpoint at its maximum number of instances."""
    monotonic: Callable[[], float] = time.monotonic
    _known: tuple[float, list[EndpointRecord]] = field(default_factory=lambda: (0.0, []))

    def choose(self, named: str | None, *, caller: Caller) -> EndpointChoice:
        """Where a job of the caller goes that names this endpoint (with or without the stage's prefix) or none.

        One AWS call if an endpoint other than the template's is named. Otherwise none, except every few seconds two
        that list the endpoints and ask for the template's.

        Raises:
            ProblemError: `invalid_params` if the caller may not use the named endpoint or their default;
                `endpoint_not_in_service` if it is being deleted, or if no endpoint they may use takes jobs.
        """
        if named is not None:
            return EndpointChoice([self._only(self.require_usable(named, caller=caller))])
        if caller.default_endpoint is not None:
            return EndpointChoice([self._only(self._default_of(caller, caller.default_endpoint))])
        candidates = self._candidates(caller)
        if len(candidates) == 1:
            return EndpointChoice(candidates)
        return EndpointChoice(candidates, self.load)

    def choose_again(self, before: str, *, caller: Caller) -> EndpointChoice:
        """Where a repeated job goes: to the same endpoint or, if the caller may not use that any more, to the one for a
        job that names none.

        Raises:
            ProblemError: as in `choose`.
        """
        try:
            return self.choose(before, caller=caller)
        except ProblemError:
            return self.choose(None, caller=caller)

    def guards(self, endpoint: str) -> list[Action]:
        """The check for a transaction that sends it a job: it is not being deleted, which the template's never is."""
        return [] if endpoint == self.registry.default else [self.registry.store.taking_jobs(endpoint)]

    def forget(self) -> None:
        """Read the endpoints again for the next choice: one of them was not in the state we remembered."""
        self._known = (0.0, [])
        self.instances.forget(self.registry.default)

    def require_usable(self, named: str, *, caller: Caller, pointer: str = POINTER, received: str | None = None) -> str:
        """The full name of an endpoint the caller may use; refusals say `received` instead of `named` if it is given.

        Raises:
            ProblemError: `invalid_params` if it does not exist; `endpoint_not_in_service` if it is being deleted.
        """
        name = self.registry.full_name(named)
        if name == self.registry.default:
            return name
        record = self.registry.store.get(name)
        if record is None or not caller.may_use(record, Permission.ENDPOINT_ALL):
            raise self._refusal(received or f"received {shortened(named)!r}", caller, pointer)
        if record.status is EndpointStatus.DELETING:
            raise being_deleted(record.endpoint)
        return record.endpoint

    def _default_of(self, caller: Caller, name: str) -> str:
        """The caller's default, if they may still use it; we never silently pay for another machine instead."""
        if name == self.registry.default or any(each.endpoint == name for each in self._usable(caller)):
            return name
        # Created a moment ago, or to be refused for its current state.
        received = (
            f"received none, and your default {name!r} no longer exists or is no longer available to you (PATCH /v1/me)"
        )
        return self.require_usable(name, caller=caller, received=received)

    def _refusal(self, said: str, caller: Caller, pointer: str) -> ProblemError:
        usable = _usable_by(caller, self.registry.store.list())
        allowed = ", ".join([self.registry.default, *(each.endpoint for each in usable)])
        return invalid([FieldError(pointer=pointer, message=f"{said}; allowed: {allowed}")])

    def _candidates(self, caller: Caller) -> list[Candidate]:
        """At least one candidate.

        Raises:
            ProblemError: `endpoint_not_in_service`, with the status of each endpoint.
        """
        found = self._in_service(caller)
        if not found:
            self.forget()  # it may have changed since it was read
            found = self._in_service(caller)
        if found:
            return found
        live = self.instances.seen(self.registry.default)
        states = [_state(live.name, live.status, live.failure_reason)] if live is not None else []
        states += [_state(each.endpoint, each.status, each.reason) for each in self._usable(caller)]
        raise not_in_service(f"No endpoint you may use is in service: {'; '.join(states)}.")

    def _in_service(self, caller: Caller) -> list[Candidate]:
        """Endpoints in service, the template's first; also that one if it is alone or SageMaker does not answer."""
        default, usable = self._only(self.registry.default), self._usable(caller)
        if not usable:
            return [default]
        others = [_candidate(each) for each in usable if each.status in _IN_SERVICE]
        live = self.instances.seen(self.registry.default)
        if live is None:
            return others or [default]
        if live.status not in TAKES_JOBS:
            return others
        return [Candidate(default.name, default.gpus, asleep=live.instance_count == 0), *others]

    def _only(self, name: str) -> Candidate:
        return Candidate(name, self.default_gpus)

    def _usable(self, caller: Caller) -> list[EndpointRecord]:
        until, records = self._known
        if self.monotonic() >= until:
            records = self.registry.store.list()
            self._known = (self.monotonic() + REMEMBERED_SECONDS, records)
        return _usable_by(caller, records)


def _usable_by(caller: Caller, records: Sequence[EndpointRecord]) -> list[EndpointRecord]:
    """Those records that the caller may send jobs to and that are not being deleted."""
    return [
        record
        for record in records
        if record.status is not EndpointStatus.DELETING and caller.may_use(record, Permission.ENDPOINT_ALL)
    ]


def _state(name: str, status: str, reason: str | None) -> str:
    return f"{name} is {status}" + (f" ({reason})" if reason else "")


def _candidate(record: EndpointRecord) -> Candidate:
    gpus = GPUS[record.instance_type] * record.max_instances
    return Candidate(record.endpoint, gpus, asleep=record.instance_count == 0)

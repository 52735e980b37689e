"""Which endpoint a job goes to: the named one, else the caller's default, else the least loaded one they may use.

Load is open jobs for each GPU the endpoint may grow to. Of equal loads one with an instance running comes before one
that sleeps, then the template's, then the first by name.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.endpoints import EndpointStatus
from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.instances import GPUS
from lambdas.access.caller import Caller
from lambdas.aws.rows import Action, Keys
from lambdas.endpoints.instance_counts import InstanceCounts
from lambdas.endpoints.load import EndpointLoad
from lambdas.endpoints.record import EndpointRecord
from lambdas.endpoints.refusals import being_deleted, not_in_service
from lambdas.endpoints.registry import EndpointRegistry
from lambdas.endpoints.sagemaker import TAKES_JOBS
from lambdas.problems import ProblemError, invalid, shortened

REMEMBERED_SECONDS = 15.0
POINTER = "/endpoint"
_IN_SERVICE = frozenset({EndpointStatus.IN_SERVICE, EndpointStatus.UPDATING})


@dataclass(frozen=True)
class Candidate:
    """An endpoint that takes jobs."""

    name: str
    gpus: int
    """Of all instances it may have."""
    asleep: bool = False
    """It has no instance right now."""


@dataclass(frozen=True)
class EndpointChoice:
    """One endpoint, or several of which the least loaded is taken."""

    candidates: Sequence[Candidate]
    """At least one; the first of those with the least load is meant."""
    load: EndpointLoad | None = None
    """What counts their jobs; None when there is nothing to compare."""

    @property
    def first(self) -> str:
        return self.candidates[0].name

    @property
    def keys(self) -> Keys:
        """Of the rows with their loads, to be read along with others."""
        return self.load.keys(each.name for each in self.candidates) if self.load else {}

    def least_loaded(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
        """Its name, as the rows of `keys` say."""
        if self.load is None:
            return self.first
        loads = self.load.in_rows(rows)
        return min(self.candidates, key=lambda each: (loads[each.name] / each.gpus, each.asleep)).name


@dataclass
class EndpointChooser:
    """Knows the endpoints of a few seconds ago; that none is being deleted is checked where the job is put."""

    registry: EndpointRegistry
    load: EndpointLoad
    instances: InstanceCounts
    default_gpus: int
    """Of all instances the template's endpoint may have."""
    monotonic: Callable[[], float] = time.monotonic
    _known: tuple[float, list[EndpointRecord]] = field(default_factory=lambda: (0.0, []))

    def choose(self, named: str | None, *, caller: Caller) -> EndpointChoice:
        """Where a job of the caller goes that names this endpoint, with or without the stage's prefix, or none.

        One call when another than the template's is named. Else none, for a while after two that list the endpoints
        and ask for the template's.

        Raises:
            ProblemError: `invalid_params`, the named one or the caller's default is none they may use;
                `endpoint_not_in_service`, it is being deleted, or none they may use takes jobs.
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
        """Where a job is sent again: where it was, or, when the caller may not use that any more, as one that names
        none.

        Raises:
            ProblemError: as `choose`.
        """
        try:
            return self.choose(before, caller=caller)
        except ProblemError:
            return self.choose(None, caller=caller)

    def guards(self, endpoint: str) -> list[Action]:
        """What a transaction that sends it a job must check: that it is not being deleted. The template's never is."""
        return [] if endpoint == self.registry.default else [self.registry.store.taking_jobs(endpoint)]

    def forget(self) -> None:
        """Look again at the next choice: an endpoint was not what it was said to be."""
        self._known = (0.0, [])
        self.instances.forget(self.registry.default)

    def require_usable(self, named: str, *, caller: Caller, pointer: str = POINTER, received: str | None = None) -> str:
        """The full name of an endpoint the caller may use; `received` tells a refusal what stands for `named`.

        Raises:
            ProblemError: `invalid_params`, there is none such; `endpoint_not_in_service`, it is being deleted.
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
        """The caller's default, if it may still be used: nobody else's machine is paid for in silence."""
        if name == self.registry.default or any(each.endpoint == name for each in self._usable(caller)):
            return name
        # Made a moment ago, or to be refused for what it is by now.
        received = (
            f"received none, and your default {name!r} no longer exists or is no longer available to you (PATCH /v1/me)"
        )
        return self.require_usable(name, caller=caller, received=received)

    def _refusal(self, said: str, caller: Caller, pointer: str) -> ProblemError:
        usable = _usable_by(caller, self.registry.store.list())
        allowed = ", ".join([self.registry.default, *(each.endpoint for each in usable)])
        return invalid([FieldError(pointer=pointer, message=f"{said}; allowed: {allowed}")])

    def _candidates(self, caller: Caller) -> list[Candidate]:
        """At least one.

        Raises:
            ProblemError: `endpoint_not_in_service`, with what each is doing.
        """
        found = self._in_service(caller)
        if not found:
            self.forget()  # it may have changed since it was looked at
            found = self._in_service(caller)
        if found:
            return found
        live = self.instances.seen(self.registry.default)
        states = [_state(live.name, live.status, live.failure_reason)] if live is not None else []
        states += [_state(each.endpoint, each.status, each.reason) for each in self._usable(caller)]
        raise not_in_service(f"No endpoint you may use is in service: {'; '.join(states)}.")

    def _in_service(self, caller: Caller) -> list[Candidate]:
        """Those in service, the template's first; that one also when there is no other, or SageMaker does not say."""
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
    """Those of the records that the caller may send jobs to and that are not being deleted."""
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

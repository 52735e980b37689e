"""What a job counts: against its owner's quotas, and among the open jobs of its endpoint.

Every count is in the transaction that creates, changes or finishes the job's row, so that a crash in between neither
counts twice nor loses a count. The job stores what it counts, and exactly that is returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.usage import FREE_PLACE, ROOM_TODAY, Charge, Part, UsageStore
from lambdas.aws.rows import Action, Condition, Delete, PutNew, Update, transact
from lambdas.endpoints.choice import EndpointLoad
from lambdas.endpoints.record import NOT_BEING_DELETED
from lambdas.endpoints.refusals import being_deleted
from lambdas.jobs.record import JobRecord
from lambdas.jobs.store import JobStore
from lambdas.problems import ProblemError

_NEW = "a new job"
_UNCHANGED = "the job as it was read"
_QUEUED = "a queued job"
_UNSETTLED = "a finished job that is not settled"


@dataclass(frozen=True)
class Counts:
    jobs: JobStore
    usage: UsageStore
    load: EndpointLoad

    def admit(self, job: JobRecord, quotas: Quotas, *, guards: Sequence[Action], retention_days: int) -> None:
        """Create a new job with what it counts (`counted`), unless one of `guards` or a quota forbids it.

        Raises:
            ProblemError: `endpoint_not_in_service`, or `quota_exceeded`.
            ValueError: the id is taken.
        """
        counts = [self.load.take(job.endpoint, job.job_id, made=job.created_at, checkpoint=job.checkpoint)]
        if job.charge is not None:
            self.usage.require_possible(job.charge, quotas)
            counts += self.usage.admission(job.charge, quotas)
        values = job.new_row(retention_days=retention_days)
        row = PutNew(table=self.jobs.table, key={"job_id": job.job_id}, row=values, absent=_NEW)
        refused = transact(self.jobs.client, [*guards, *counts, row])
        if refused == {_NEW}:
            raise ValueError(f"there is a job {job.job_id}")
        if NOT_BEING_DELETED in refused:
            raise being_deleted(job.endpoint)
        if job.charge is not None and refused & {ROOM_TODAY, FREE_PLACE}:
            raise self.usage.exceeded(job.charge, quotas, now=job.created_at)

    def charge_steps(self, job: JobRecord, steps: Decimal, quotas: Quotas, *, now: datetime) -> JobRecord:
        """Count `steps` for today instead of what a `created` job counted before; returns the job with that charge.

        A job that was created while its owner had no quotas stays without a charge.

        Raises:
            ProblemError: `quota_exceeded`, or `job_state_conflict` if another request is starting it too.
        """
        if job.charge is None:
            return job
        charge = replace(job.charge, day=now.date().isoformat(), megapixel_steps=steps)
        of_steps = Quotas(
            megapixel_steps_per_day=quotas.megapixel_steps_per_day,
            megapixel_steps_per_month=quotas.megapixel_steps_per_month,
        )
        self.usage.require_possible(charge, of_steps)
        if charge == job.charge:
            return job
        refused = self._recharge(job, job.charge, charge, of_steps)
        if _UNCHANGED in refused:
            raise ProblemError(ProblemCode.JOB_STATE_CONFLICT, "The job is being started by another request.")
        if ROOM_TODAY in refused:
            raise self.usage.exceeded(charge, of_steps, now=now)
        return replace(job, charge=charge)

    def give_back_steps(self, job: JobRecord) -> None:
        """Stop counting the steps of a job that is `created` again; does nothing if it is not."""
        if job.charge is not None and job.charge.megapixel_steps:
            self._recharge(job, job.charge, replace(job.charge, megapixel_steps=Decimal(0)), Quotas())

    def give_back(self, job: JobRecord) -> None:
        """Remove a job that its endpoint never got, with everything it counts.

        Does nothing if it was never created, or if a worker has claimed it or it is finished.
        """
        deletion = Delete(
            table=self.jobs.table,
            key={"job_id": job.job_id},
            values={":queued": JobStatus.QUEUED},
            condition=Condition(_QUEUED, "#status = :queued"),
            names=["status"],
        )
        charged = self.usage.release(job.charge, unsent=True) if job.charge is not None else []
        transact(self.jobs.client, [deletion, *charged, *self._freed(job)])

    def settle(self, job: JobRecord) -> bool:
        """Count a finished job and free its places; False if that was already done."""
        settlement = Update(
            table=self.jobs.table,
            key={"job_id": job.job_id},
            expression="REMOVE #open",
            values={":ended": job.status},
            condition=Condition(_UNSETTLED, "attribute_exists(#open) AND #status = :ended"),
            names=["open", "status"],
        )
        ended = self.usage.ended(
            job.owner,
            job.status,
            day=(job.finished_at or datetime.now(UTC)).date(),
            gpu_seconds=job.gpu_seconds,
            charge=job.charge,
            ran=not _never_ran(job),
            part=Part(job.endpoint, job.checkpoint or ""),
        )
        released = self.usage.release(job.charge, unsent=False) if job.charge is not None else []
        return not transact(self.jobs.client, [settlement, *ended, *released, *self._freed(job)])

    def _freed(self, job: JobRecord) -> list[Action]:
        """The count of its endpoint; empty for a job of an older release, which was never counted there."""
        now = job.finished_at or datetime.now(UTC)
        return [self.load.free(job.endpoint, job.job_id, now=now)] if job.counted else []

    def _recharge(self, job: JobRecord, old: Charge, new: Charge, quotas: Quotas) -> frozenset[str]:
        row = Update(
            table=self.jobs.table,
            key={"job_id": job.job_id},
            expression="SET #charge = :new",
            values={":new": new, ":day": old.day, ":steps": old.megapixel_steps, ":created": JobStatus.CREATED},
            condition=Condition(
                _UNCHANGED, "#charge.#day = :day AND #charge.megapixel_steps = :steps AND #status = :created"
            ),
            names=["charge", "day", "status"],
        )
        return transact(self.jobs.client, [row, *self.usage.recount(old, new, quotas)])


def counted(job: JobRecord, quotas: Quotas) -> JobRecord:
    """A new job with everything it will count, so that exactly that is returned even if the answer is lost."""
    charge = Charge(job.owner, job.created_at.date().isoformat(), job.megapixel_steps, quotas.monthly)
    return replace(job, counted=True, charge=charge if quotas.limited else None)


def _never_ran(job: JobRecord) -> bool:
    """Whether it was canceled before a worker had it."""
    return job.status is JobStatus.CANCELED and job.started_at is None and job.worker_lost_at is None

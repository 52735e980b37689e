"""What a job counts: against its owner's quotas, and among the open jobs of its endpoint.

Every count is part of the transaction that makes, changes or ends the job's own row, so that whoever dies in between
counts nothing twice and nothing is lost. The job keeps what it counts, and just that is given back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.errors import JobErrorCode, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.usage import FREE_PLACE, ROOM_TODAY, Charge, UsageStore
from lambdas.aws.rows import Action, Condition, Delete, PutNew, Update, transact
from lambdas.endpoints.load import EndpointLoad
from lambdas.endpoints.record import NOT_BEING_DELETED
from lambdas.endpoints.refusals import being_deleted
from lambdas.jobs.record import JobRecord
from lambdas.jobs.store import JobStore
from lambdas.problems import ProblemError

_NEW = "a new job"
_UNCHANGED = "the job as it was read"
_QUEUED = "a queued job"
_UNSETTLED = "an ended job that is not settled"


@dataclass(frozen=True)
class Counts:
    jobs: JobStore
    usage: UsageStore
    load: EndpointLoad

    def admit(self, job: JobRecord, quotas: Quotas, *, guards: Sequence[Action], retention_days: int) -> None:
        """Put a new job with what it counts (`counted`), unless one of `guards` or a quota forbids it.

        Raises:
            ProblemError: `endpoint_not_in_service`, or `quota_exceeded`.
            ValueError: the id is taken.
        """
        counts = [self.load.take(job.endpoint, job.job_id, made=job.created_at)]
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
        """Count `steps` for today in place of what a `created` job counted before; the job with that charge.

        A job that was made while its owner had no quotas goes on without a charge.

        Raises:
            ProblemError: `quota_exceeded`, or `job_state_conflict` when another request starts it, too.
        """
        if job.charge is None:
            return job
        charge = Charge(job.owner, now.date().isoformat(), steps)
        of_steps = Quotas(megapixel_steps_per_day=quotas.megapixel_steps_per_day)
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
        """Count no steps of a job that is `created` again; nothing when it is not."""
        if job.charge is not None and job.charge.megapixel_steps:
            self._recharge(job, job.charge, replace(job.charge, megapixel_steps=Decimal(0)), Quotas())

    def give_back(self, job: JobRecord) -> None:
        """Take back a job that its endpoint never got, and all that it counts.

        Does nothing when it was never made, or somebody already works on it or ended it.
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
        """Count the end of a job and free its places; False when that has been done before."""
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
            gpu_seconds=gpu_seconds(job),
            unused=job.charge if _never_ran(job) else None,
        )
        released = self.usage.release(job.charge, unsent=False) if job.charge is not None else []
        return not transact(self.jobs.client, [settlement, *ended, *released, *self._freed(job)])

    def _freed(self, job: JobRecord) -> list[Action]:
        """Of its endpoint; nothing for a job of an older release, which was never counted there."""
        return [self.load.free(job.endpoint, job.job_id)] if job.counted else []

    def _recharge(self, job: JobRecord, old: Charge, new: Charge, quotas: Quotas) -> frozenset[str]:
        row = Update(
            table=self.jobs.table,
            key={"job_id": job.job_id},
            expression="SET #charge = :new",
            values={":new": new, ":old": old, ":created": JobStatus.CREATED},
            condition=Condition(_UNCHANGED, "#charge = :old AND #status = :created"),
            names=["charge", "status"],
        )
        return transact(self.jobs.client, [row, *self.usage.recount(old, new, quotas)])


def counted(job: JobRecord, steps: Decimal, quotas: Quotas) -> JobRecord:
    """A new job with all it will count, so that just that is given back even if nobody heard that it was made."""
    charge = Charge(job.owner, job.created_at.date().isoformat(), steps) if quotas.limited else None
    return replace(job, counted=True, charge=charge)


def gpu_seconds(job: JobRecord) -> Decimal:
    """How long a worker had the job: to its end, or to the last heartbeat of a lost one; 0 when none ever had it."""
    if job.started_at is None or job.finished_at is None:
        return Decimal(0)
    end = job.finished_at.timestamp()
    if job.error is not None and job.error.code is JobErrorCode.WORKER_LOST and job.heartbeat_at is not None:
        end = float(job.heartbeat_at)
    return Decimal(f"{max(0.0, end - job.started_at.timestamp()):.3f}")


def _never_ran(job: JobRecord) -> bool:
    """Whether it was canceled before any worker had it."""
    return job.status is JobStatus.CANCELED and job.started_at is None and job.worker_lost_at is None

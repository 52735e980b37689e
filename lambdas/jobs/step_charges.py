"""Megapixel-steps of jobs whose params come after them: counted in one transaction with the job's own row, so that
whoever dies in between counts nothing twice, and the end of the job gives back what was counted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.usage import Charge
from lambdas.aws.transactions import Condition, transact, update
from lambdas.jobs.record import JobRecord
from lambdas.jobs.transitions import JobTransitions
from lambdas.problems import ProblemError

_UNCHANGED = "the job as it was read"


@dataclass(frozen=True)
class StepCharges:
    """Changes the `charge` of jobs that are `created`; those made while their owner had no quotas have none."""

    transitions: JobTransitions

    def count(self, job: JobRecord, steps: Decimal, quotas: Quotas, *, now: datetime) -> JobRecord:
        """The job with `steps` counted today, in place of what it counted before.

        Raises:
            ProblemError: `quota_exceeded`, or `job_state_conflict` when another request starts it, too.
        """
        if job.charge is None:
            return job
        charge = Charge(job.owner, now.date().isoformat(), steps)
        usage = self.transitions.settlement.usage
        of_steps = Quotas(megapixel_steps_per_day=quotas.megapixel_steps_per_day)
        usage.require_possible(charge, of_steps)
        if charge == job.charge:
            return job
        refused = self._change(job, job.charge, charge, of_steps)
        if _UNCHANGED in refused:
            raise ProblemError(ProblemCode.JOB_STATE_CONFLICT, "The job is being started by another request.")
        if refused:
            raise usage.exceeded(charge, of_steps, now=now)
        return replace(job, charge=charge)

    def take_back(self, job: JobRecord) -> None:
        """Count no steps of a job that is `created` again; nothing when it is not."""
        if job.charge is not None and job.charge.megapixel_steps:
            self._change(job, job.charge, replace(job.charge, megapixel_steps=Decimal(0)), Quotas())

    def _change(self, job: JobRecord, old: Charge, new: Charge, quotas: Quotas) -> frozenset[str]:
        values: Mapping[str, object] = {":new": asdict(new), ":old": asdict(old), ":created": JobStatus.CREATED.value}
        row = update(
            self.transitions.jobs.table,
            {"job_id": job.job_id},
            "SET #charge = :new",
            values,
            condition=Condition(_UNCHANGED, "#charge = :old AND #status = :created"),
            names=["charge", "status"],
        )
        return transact(
            self.transitions.jobs.client, [row, *self.transitions.settlement.usage.recount(old, new, quotas)]
        )

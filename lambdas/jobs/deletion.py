"""Jobs taken away for good: every object first, then the row, so that what breaks off can be repeated."""

from dataclasses import dataclass

from generate_on_cloud.contract.jobs import TERMINAL
from lambdas.jobs.objects import JobObjects, job_prefix
from lambdas.jobs.record import JobRecord
from lambdas.jobs.request_documents import state_conflict
from lambdas.jobs.store import JobStore
from lambdas.jobs.transitions import JobTransitions


@dataclass(frozen=True)
class Deletion:
    jobs: JobStore
    transitions: JobTransitions
    objects: JobObjects

    def delete(self, job: JobRecord) -> None:
        """Remove an ended job; three calls for one with less than a thousand objects.

        Raises:
            ProblemError: `job_state_conflict`, the job has not ended.
        """
        if job.status not in TERMINAL:
            raise state_conflict(job, "deleted; cancel it first")
        if not job.settled:
            # Else what it counts as would go with it.
            self.transitions.settle(job)
        keys = [key for key in (job.output_key, job.failure_key) if key is not None]
        self.objects.remove_all(job_prefix(job.job_id), also=keys)
        self.jobs.delete(job)

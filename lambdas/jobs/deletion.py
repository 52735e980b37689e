"""Deletes jobs for good: first every object, then the row, so that an interrupted deletion can be repeated."""

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
        """Delete a finished job; three calls if it has less than a thousand objects.

        Raises:
            ProblemError: `job_state_conflict` if the job has not finished.
        """
        if job.status not in TERMINAL:
            raise state_conflict(job, "deleted; cancel it first")
        if not job.settled:
            # Otherwise the counts it still holds would be lost with it.
            self.transitions.settle(job)
        keys = [key for key in (job.output_key, job.failure_key) if key is not None]
        self.objects.remove_all(job_prefix(job.job_id), also=keys)
        self.jobs.delete(job)

"""Every transition of a job this side may make, each one conditional update."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.errors import JobError
from generate_on_cloud.contract.jobs import JobStatus, statuses_before
from lambdas.aws.rows import timestamp
from lambdas.jobs.record import JobRecord, model_rows
from lambdas.jobs.settlement import Settlement
from lambdas.jobs.store import JobStore

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobTransitions:
    jobs: JobStore
    settlement: Settlement

    def settle(self, ended: JobRecord) -> bool:
        """What follows an end; False when it has been done before.

        Raises:
            ClientError, BotoCoreError: AWS failed; the sweeper will try again.
        """
        return self.settlement.settle(ended)

    def queue(
        self,
        job_id: str,
        *,
        checkpoint: str | None,
        models: Sequence[ResolvedModel],
        request_key: str,
        now: datetime,
    ) -> JobRecord | None:
        """`created → queued`; None when the job is not `created`."""
        return self.jobs.change(
            job_id,
            {
                "status": JobStatus.QUEUED.value,
                "checkpoint": checkpoint,
                "models": model_rows(models),
                "request_key": request_key,
                "queued_at": timestamp(now),
            },
            allowed=(JobStatus.CREATED,),
        )

    def unqueue(self, job_id: str, *, checkpoint: str | None) -> JobRecord | None:
        """Back to `created` when the endpoint did not take the job, so that it can be started again."""
        removed = ("request_key", "queued_at", "models", *(() if checkpoint else ("checkpoint",)))
        values = {"status": JobStatus.CREATED.value, "checkpoint": checkpoint}
        return self.jobs.change(job_id, values, allowed=(JobStatus.QUEUED,), removed=removed)

    def keep_locations(self, job: JobRecord, *, output_key: str | None, failure_key: str | None) -> JobRecord | None:
        """Note where SageMaker will put the answer; touches no status, a finish may already be there.

        None when the job was sent once more meanwhile: then its answer comes elsewhere.
        """
        locations = {"output_key": output_key, "failure_key": failure_key}
        return self.jobs.change(job.job_id, locations, allowed=tuple(JobStatus), expected={"sends": job.sends})

    def mark_sent_again(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count one more attempt to hand over a queued job; None when it changed or has its locations."""
        return self.jobs.change(
            job.job_id,
            {"sends": job.sends + 1, "sent_again_at": timestamp(now)},
            allowed=(JobStatus.QUEUED,),
            expected={"sends": job.sends},
            absent=("output_key",),
        )

    def mark_refused(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count a refusal by a container of an older contract, and another attempt; None when the job changed."""
        return self.jobs.change(
            job.job_id,
            {"sends": job.sends + 1, "refusals": job.refusals + 1, "sent_again_at": timestamp(now)},
            allowed=(JobStatus.QUEUED,),
            removed=("output_key", "failure_key"),
            expected={"sends": job.sends},
        )

    def requeue(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """`running → queued` because its worker was lost; None when it changed, or was lost before."""
        return self.jobs.change(
            job.job_id,
            {
                "status": JobStatus.QUEUED.value,
                "queued_at": timestamp(now),
                "worker_lost_at": timestamp(now),
                "sends": job.sends + 1,
            },
            allowed=(JobStatus.QUEUED, JobStatus.RUNNING),
            removed=(
                "started_at",
                "worker_id",
                "heartbeat_at",
                "progress",
                "output_key",
                "failure_key",
                "sent_again_at",
            ),
            expected={"sends": job.sends, "heartbeat_at": job.heartbeat_at},
            absent=("worker_lost_at", "cancel_requested", *(() if job.heartbeat_at is not None else ("heartbeat_at",))),
        )

    def request_cancel(self, job_id: str) -> JobRecord | None:
        """Ask the worker to stop; None when the job is not `running`."""
        return self.jobs.change(job_id, {"cancel_requested": True}, allowed=(JobStatus.RUNNING,))

    def finish(
        self,
        job: JobRecord,
        status: JobStatus,
        *,
        now: datetime,
        allowed: tuple[JobStatus, ...] = (),
        error: JobError | None = None,
        output_key: str | None = None,
        failure_key: str | None = None,
        heartbeat_seen: Decimal | None = None,
    ) -> JobRecord | None:
        """End the job and settle it; None when its status may not become `status` (any more).

        `open` stays on the row until the job is settled, here or by the sweeper.

        Args:
            allowed: The statuses it may end from; empty: all from which the contract lets it enter `status`.
            heartbeat_seen: End it only if no worker has written another heartbeat since.
        """
        ended = self.jobs.change(
            job.job_id,
            {
                "status": status.value,
                "finished_at": timestamp(now),
                "error": error.model_dump(mode="json") if error else None,
                "output_key": output_key,
                "failure_key": failure_key,
            },
            allowed=allowed or statuses_before(status),
            expected={"heartbeat_at": heartbeat_seen},
        )
        if ended is not None:
            try:
                self.settle(ended)
            except (ClientError, BotoCoreError):
                _LOG.exception("job %s has ended and is settled later", job.job_id)
        return ended

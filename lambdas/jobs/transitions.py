"""Every transition of a job this side may make, each one conditional update."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.errors import FieldError, JobError
from generate_on_cloud.contract.jobs import STATUSES_BEFORE, JobStatus
from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import from_item, read_record, to_item
from lambdas.jobs.counts import Counts
from lambdas.jobs.record import JobRecord
from lambdas.jobs.store import JobStore
from lambdas.jobs.webhook_queue import WebhookQueue

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobTransitions:
    jobs: JobStore
    counts: Counts
    webhooks: WebhookQueue

    def settle(self, ended: JobRecord) -> bool:
        """Queue an ended job's webhook and count its end; False when it has been counted before.

        The end itself leaves `open` on the job; the transaction that counts takes it away. Whatever dies in between is
        settled by the sweeper, which looks at every job that has `open`.

        Raises:
            ClientError, BotoCoreError: AWS failed; the sweeper will try again.
        """
        # Before the count: whoever dies in between sends it twice, with one id, and never not at all.
        if ended.webhook is not None:
            self.webhooks.send(ended, ended.webhook)
        return self.counts.settle(ended)

    def queue(
        self,
        job_id: str,
        *,
        checkpoint: str | None,
        models: Sequence[ResolvedModel],
        warnings: Sequence[FieldError] = (),
        request_key: str,
        now: datetime,
    ) -> JobRecord | None:
        """`created → queued`; None when the job is not `created`."""
        return self._change(
            job_id,
            {
                "status": JobStatus.QUEUED,
                "checkpoint": checkpoint,
                "models": models or None,
                "warnings": warnings or None,
                "request_key": request_key,
                "queued_at": now,
            },
            allowed=(JobStatus.CREATED,),
        )

    def unqueue(self, job_id: str, *, checkpoint: str | None) -> JobRecord | None:
        """Back to `created` when the endpoint did not take the job, so that it can be started again."""
        removed = ("request_key", "queued_at", "models", *(() if checkpoint else ("checkpoint",)))
        values = {"status": JobStatus.CREATED, "checkpoint": checkpoint}
        return self._change(job_id, values, allowed=(JobStatus.QUEUED,), removed=removed)

    def keep_locations(self, job: JobRecord, *, output_key: str | None, failure_key: str | None) -> JobRecord | None:
        """Note where SageMaker will put the answer; touches no status, a finish may already be there.

        None when the job was sent once more meanwhile: then its answer comes elsewhere.
        """
        locations = {"output_key": output_key, "failure_key": failure_key}
        return self._change(job.job_id, locations, allowed=tuple(JobStatus), expected={"sends": job.sends})

    def mark_sent_again(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count one more attempt to hand over a queued job; None when it changed or has its locations."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "sent_again_at": now},
            allowed=(JobStatus.QUEUED,),
            expected={"sends": job.sends},
            absent=("output_key",),
        )

    def mark_refused(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count a refusal by a container of an older contract, and another attempt; None when the job changed."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "refusals": job.refusals + 1, "sent_again_at": now},
            allowed=(JobStatus.QUEUED,),
            removed=("output_key", "failure_key"),
            expected={"sends": job.sends},
        )

    def requeue(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """`running → queued` because its worker was lost; None when it changed, or was lost before."""
        return self._change(
            job.job_id,
            {
                "status": JobStatus.QUEUED,
                "queued_at": now,
                "worker_lost_at": now,
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
        return self._change(job_id, {"cancel_requested": True}, allowed=(JobStatus.RUNNING,))

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
        ended = self._change(
            job.job_id,
            {
                "status": status,
                "finished_at": now,
                "error": error,
                "output_key": output_key,
                "failure_key": failure_key,
            },
            allowed=allowed or STATUSES_BEFORE[status],
            expected={"heartbeat_at": heartbeat_seen},
        )
        if ended is not None:
            try:
                self.settle(ended)
            except (ClientError, BotoCoreError):
                _LOG.exception("job %s has ended and is settled later", job.job_id)
        return ended

    def _change(
        self,
        job_id: str,
        values: Mapping[str, object],
        *,
        allowed: tuple[JobStatus, ...],
        removed: tuple[str, ...] = (),
        expected: Mapping[str, object] | None = None,
        absent: tuple[str, ...] = (),
    ) -> JobRecord | None:
        """Set fields of the record if its status is `allowed`, `expected` are as given and `absent` are not there.

        Returns the row after, or None.
        """
        settable = {name: value for name, value in values.items() if value is not None}
        expected = {name: value for name, value in (expected or {}).items() if value is not None}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in settable)
        if removed:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        statuses = {f":allowed{number}": status for number, status in enumerate(allowed)}
        condition = f"#status IN ({', '.join(statuses)})"
        condition += "".join(f" AND #{name} = :expected_{name}" for name in expected)
        condition += "".join(f" AND attribute_not_exists(#{name})" for name in absent)
        try:
            answer = self.jobs.client.update_item(
                TableName=self.jobs.table,
                Key=to_item({"job_id": job_id}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    f"#{name}": name for name in {"status", *settable, *removed, *expected, *absent}
                },
                ExpressionAttributeValues=to_item(
                    {f":{name}": value for name, value in settable.items()}
                    | statuses
                    | {f":expected_{name}": value for name, value in expected.items()}
                ),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return None
        return read_record(JobRecord, from_item(answer["Attributes"]))

"""Every transition of a job that this side may make, each one a conditional update."""

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
        """Queue a finished job's webhook and count its end; False if it was already counted.

        The end itself leaves `open` on the job; the transaction that counts it removes `open`. After a crash in
        between, the sweeper settles the job: it looks at every job with `open`.

        Raises:
            ClientError, BotoCoreError: AWS failed; the sweeper will try again.
        """
        # Before the count: after a crash in between it is sent twice with the same id, instead of never.
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
        prompt: str = "",
        megapixel_steps: Decimal = Decimal(0),
        request_key: str,
        now: datetime,
    ) -> JobRecord | None:
        """`created → queued`; None if the job is not `created`."""
        return self._change(
            job_id,
            {
                "status": JobStatus.QUEUED,
                "checkpoint": checkpoint,
                "models": models or None,
                "warnings": warnings or None,
                "prompt": prompt or None,
                "megapixel_steps": megapixel_steps,
                "request_key": request_key,
                "queued_at": now,
            },
            allowed=(JobStatus.CREATED,),
        )

    def unqueue(self, job_id: str, *, checkpoint: str | None) -> JobRecord | None:
        """Back to `created` if the endpoint refused the job, so that it can be started again."""
        removed = (
            "request_key",
            "queued_at",
            "models",
            "prompt",
            "megapixel_steps",
            *(() if checkpoint else ("checkpoint",)),
        )
        values = {"status": JobStatus.CREATED, "checkpoint": checkpoint}
        return self._change(job_id, values, allowed=(JobStatus.QUEUED,), removed=removed)

    def keep_locations(self, job: JobRecord, *, output_key: str | None, failure_key: str | None) -> JobRecord | None:
        """Record where SageMaker will put the answer; leaves the status alone, as the job may already have finished.

        None if the job was sent again meanwhile: its answer then has another location.
        """
        return self._change(
            job.job_id,
            {"output_key": output_key, "failure_key": failure_key},
            allowed=tuple(JobStatus),
            removed=("queue_lost_at",),
            expected={"sends": job.sends},
        )

    def mark_sent_again(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count another attempt to send a queued job; None if it changed or already has its locations."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "sent_again_at": now},
            allowed=(JobStatus.QUEUED,),
            expected={"sends": job.sends},
            absent=("output_key",),
        )

    def mark_queue_lost(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Note that the queue a job waits in is gone, and count another attempt; None when the job changed."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "sent_again_at": now, "queue_lost_at": now},
            allowed=(JobStatus.QUEUED,),
            removed=("output_key", "failure_key"),
            expected={"sends": job.sends},
        )

    def mark_refused(self, job: JobRecord, *, now: datetime) -> JobRecord | None:
        """Count a refusal by a container of an older contract and another attempt; None if the job changed."""
        return self._change(
            job.job_id,
            {"sends": job.sends + 1, "refusals": job.refusals + 1, "sent_again_at": now},
            allowed=(JobStatus.QUEUED,),
            removed=("output_key", "failure_key"),
            expected={"sends": job.sends},
        )

    def requeue(self, job: JobRecord, *, now: datetime, retry_at: datetime | None) -> JobRecord | None:
        """`running → queued` because its worker was lost; None if it changed. It waits until `retry_at`, if any."""
        return self._change(
            job.job_id,
            {
                "status": JobStatus.QUEUED,
                "queued_at": now,
                "worker_lost_at": now,
                "losses": job.lost_workers + 1,
                "retry_at": retry_at,
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
                *(() if retry_at else ("retry_at",)),
            ),
            expected={"sends": job.sends, "heartbeat_at": job.heartbeat_at},
            absent=("cancel_requested", *(() if job.heartbeat_at is not None else ("heartbeat_at",))),
        )

    def request_cancel(self, job_id: str) -> JobRecord | None:
        """Ask the worker to stop; None if the job is not `running`."""
        return self._change(job_id, {"cancel_requested": True}, allowed=(JobStatus.RUNNING,))

    def request_skip(self, job: JobRecord) -> JobRecord | None:
        """Ask the worker to end the batch that it draws; None if the job is not `running`."""
        return self._change(job.job_id, {"skips": job.skips + 1}, allowed=(JobStatus.RUNNING,))

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
        thumbnail: bool = False,
        heartbeat_seen: Decimal | None = None,
    ) -> JobRecord | None:
        """Finish the job and settle it; None if its status can not (any more) become `status`.

        `open` stays on the row until the job is settled, here or by the sweeper.

        Args:
            allowed: the statuses it may have before; empty: all from which the contract allows `status`.
            heartbeat_seen: finish it only if no worker has written another heartbeat since.
        """
        ended = self._change(
            job.job_id,
            {
                "status": status,
                "finished_at": now,
                "error": error,
                "output_key": output_key,
                "failure_key": failure_key,
                "thumbnail": thumbnail or None,
            },
            allowed=allowed or STATUSES_BEFORE[status],
            expected={"heartbeat_at": heartbeat_seen},
        )
        if ended is not None:
            try:
                self.settle(ended)
            except (ClientError, BotoCoreError):
                _LOG.exception("job %s has finished and will be settled later", job.job_id)
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
        """Set fields if the status is `allowed`, `expected` ones have these values and `absent` ones are missing.

        Returns the record afterwards, or None.
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

"""A job with every field that a client may ask for, and a record with every field there is, none at its default.

`tests/lambdas/test_job_fields.py` and `tests/client/test_client.py` demand an example for each field and follow it.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from generate_on_cloud.contract.assets import AssetType, ResolvedModel
from generate_on_cloud.contract.errors import FieldError, JobError, JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobPhase, JobStatus, Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.webhooks import DeliveryView, Webhook, WebhookEvent
from lambdas.access.usage import Charge
from lambdas.jobs.record import IS_OPEN, JobRecord

_HOOK = Webhook(url="https://artist.example.com/hook", events=[WebhookEvent.JOB_FAILED])
_TIME = datetime(2026, 5, 1, 12, 0, 0, 7, tzinfo=UTC)

ASKED = CreateJob(
    task=Task.TXT2IMG,
    checkpoint="dream.safetensors",
    preview=True,
    params={"prompt": "a cat"},
    endpoint="artists",
    metadata={"shot": "7"},
    label="for the poster",
    ttl_s=600,
    run_timeout_s=60,
    retries=2,
    dry_run=True,
    strict=True,
    webhook=_HOOK,
)

RECORD = JobRecord(
    job_id="j1",
    owner="alice",
    task=Task.IMG2IMG,
    status=JobStatus.FAILED,
    endpoint="artists",
    created_at=_TIME,
    checkpoint="dream.safetensors",
    queued_at=_TIME + timedelta(seconds=1),
    started_at=_TIME + timedelta(seconds=2),
    finished_at=_TIME + timedelta(seconds=5),
    params_key="jobs/j1/params.json",
    request_key="jobs/j1/request.json",
    output_key="endpoint-output/j1.out",
    failure_key="endpoint-failure/j1-error.out",
    thumbnail=True,
    cancel_requested=True,
    preview=True,
    error=JobError.of(JobErrorCode.BAD_IMAGE, "it is cut off"),
    progress=Progress(phase=JobPhase.SAMPLING, step=3, steps=20, previews=1),
    heartbeat_at=Decimal("1777636804.125"),
    metadata={"shot": "7"},
    label="for the poster",
    starred=True,
    prompt="a cat",
    models=(ResolvedModel(type=AssetType.CHECKPOINT, name="dream.safetensors", sha256=None),),
    strict=True,
    warnings=(FieldError(pointer="/params/url", message="ignored"),),
    ttl_s=600,
    run_timeout_s=60,
    retries=2,
    retry_of="j0",
    correlation_id="c1",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    sends=2,
    skips=1,
    sent_again_at=_TIME + timedelta(seconds=3),
    refusals=1,
    worker_lost_at=_TIME + timedelta(seconds=4),
    losses=1,
    retry_at=_TIME + timedelta(seconds=5),
    queue_lost_at=_TIME + timedelta(seconds=4),
    megapixel_steps=Decimal("5.25"),
    charge=Charge("alice", "2026-05-01", Decimal("5.25")),
    counted=True,
    webhook=_HOOK,
    deliveries=(DeliveryView(attempt=1, at=_TIME, status=500, outcome="retrying", error="it answered 500"),),
    open=IS_OPEN,
)

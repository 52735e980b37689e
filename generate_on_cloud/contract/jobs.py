"""A job's life: its tasks, its statuses and the allowed transitions."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Task(StrEnum):
    TXT2IMG = "txt2img"
    IMG2IMG = "img2img"
    INTERROGATE_CLIP = "interrogate_clip"
    INTERROGATE_DEEPBOORU = "interrogate_deepbooru"
    EXTRA_SINGLE_IMAGE = "extra_single_image"
    EXTRA_BATCH_IMAGES = "extra_batch_images"


class JobStatus(StrEnum):
    CREATED = "created"
    """Waits for the params document to be uploaded to its presigned URL."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        JobStatus.CREATED: frozenset({JobStatus.QUEUED, JobStatus.CANCELED, JobStatus.EXPIRED}),
        JobStatus.QUEUED: frozenset(
            # Straight to a final status when the worker could not write `running`, or never reached it.
            {JobStatus.RUNNING, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED}
        ),
        # Back to the queue when the worker was lost, as often as the job allows.
        JobStatus.RUNNING: frozenset(
            {JobStatus.QUEUED, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED}
        ),
        JobStatus.SUCCEEDED: frozenset(),
        JobStatus.FAILED: frozenset(),
        JobStatus.CANCELED: frozenset(),
        JobStatus.EXPIRED: frozenset(),
    }
)

DEFAULT_RUN_TIMEOUT_S: Final = 900
"""How long a job may run if its request does not say; also SageMaker's default."""

DEFAULT_RETRIES: Final = 1
MAX_RETRIES: Final = 3
"""How often a job may be queued again because its worker was lost."""

TERMINAL: frozenset[JobStatus] = frozenset(status for status, following in TRANSITIONS.items() if not following)


WORKER_ATTRIBUTES = (
    "cancel_requested", "heartbeat_at", "job_id", "progress", "queued_at", "skips", "started_at", "status",
    "worker_id",
)  # fmt: skip
"""The attributes of a job's row that a container may name, also in conditions; its role allows no others."""


STATUSES_BEFORE: Mapping[JobStatus, tuple[JobStatus, ...]] = MappingProxyType(
    {status: tuple(before for before, following in TRANSITIONS.items() if status in following) for status in JobStatus}
)
"""For each status, the statuses from which it can be entered."""


class JobPhase(StrEnum):
    """What a running job is doing."""

    STARTING = "starting"
    FETCHING_MODELS = "fetching_models"
    LOADING_MODELS = "loading_models"
    ENCODING = "encoding"
    SAMPLING = "sampling"
    DECODING = "decoding"
    UPSCALING = "upscaling"
    """Only in the tasks of the Extras tab."""
    INTERROGATING = "interrogating"
    """Only in the interrogate tasks."""
    SAVING = "saving"

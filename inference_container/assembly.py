"""Builds this machine's worker from the settings."""

import logging
import os
import socket
import uuid
from collections.abc import Callable

import boto3
import torch
from botocore.config import Config

from inference_container.asset_cache import AssetCache
from inference_container.job_record import JobRecords
from inference_container.models.devices import choose_device, choose_dtype
from inference_container.models.libraries import load_later
from inference_container.models.model_cache import ModelCache
from inference_container.settings import ContainerSettings
from inference_container.tasks import TASKS
from inference_container.telemetry import Telemetry
from inference_container.worker import Worker

log = logging.getLogger(__name__)


DEVICE_SHARE = 0.6
"""The fraction of a GPU's memory that models may take."""


def build_worker(
    settings: ContainerSettings, *, imported: Callable[[BaseException | None], None], began: float
) -> Worker:
    """Build this machine's worker from `settings` after testing the device; `began` is passed to `Worker`.

    The model libraries are imported after this returns, while the first job's files are downloaded. `imported` is
    called afterwards, with the error if the import failed.

    Raises:
        ValueError: the requested device or precision is not available here.
        RuntimeError: the device does not work.
    """
    device = choose_device(settings.DEVICE)
    dtype = choose_dtype(settings.DTYPE, device)
    # A first multiplication initializes the device's libraries, so that `ready` is reported only when they work.
    torch.ones(8, 8, device=device, dtype=dtype).matmul(torch.ones(8, 8, device=device, dtype=dtype)).sum().item()
    # Retries while a service throttles, but for less time than it takes until a silent worker counts as lost.
    patience = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 5})
    s3 = boto3.client("s3", config=patience)
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    log.info("worker %s is ready on %s with %s", worker_id, device, dtype)
    return Worker(
        records=JobRecords(boto3.client("dynamodb", config=patience), settings.JOBS_TABLE, worker_id),
        assets=AssetCache(
            s3,
            bucket=settings.ASSETS_BUCKET,
            directory=settings.CACHE_DIR / "assets",
            max_bytes=settings.CACHE_MAX_BYTES,
        ),
        # Last, because other imports should not run at the same time.
        models=ModelCache(
            max_bytes=model_bytes(settings, device),
            waiting_bytes=waiting_bytes(settings, device),
            load=load_later(device=device, dtype=dtype, imported=imported, compile_blocks=settings.COMPILE_UNET),
            device=device,
            dtype=dtype,
        ),
        tasks=TASKS,
        s3=s3,
        jobs_bucket=settings.JOBS_BUCKET,
        heartbeat_seconds=settings.HEARTBEAT_SECONDS,
        began=began,
        stack=settings.STACK,
        gpu_price_per_hour=settings.GPU_PRICE_PER_HOUR,
        telemetry=make_telemetry(settings.OTEL_EXPORTER_OTLP_ENDPOINT, stack=settings.STACK),
    )


def make_telemetry(endpoint: str, *, stack: str) -> Telemetry:
    """What exports to `endpoint`, if there is one and OpenTelemetry is installed."""
    if not endpoint:
        return Telemetry()
    try:
        from inference_container.otlp import OtlpTelemetry
    except ImportError as error:
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is exported: %s", error)
        return Telemetry()
    return OtlpTelemetry(stack=stack)


def model_bytes(settings: ContainerSettings, device: torch.device) -> int:
    """Bytes that all models together may take on the device."""
    if device.type == "cpu":
        return settings.MODEL_CACHE_MAX_BYTES
    return settings.DEVICE_CACHE_MAX_BYTES or int(DEVICE_SHARE * torch.cuda.get_device_properties(device).total_memory)


def waiting_bytes(settings: ContainerSettings, device: torch.device) -> int:
    """Bytes of RAM for models that wait while the device has separate memory; at most half of the RAM."""
    if device.type == "cpu":
        return 0
    return min(settings.MODEL_CACHE_MAX_BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)

"""What CloudWatch learns of a finished job from the container's log (EMF), so that no call is made for it."""

import time
from typing import Any

import torch

from inference_container.contract.jobs import JobPhase
from inference_container.contract.messages import JobResult

NAMESPACE = "GenerateOnCloud"
COLD_AFTER_SECONDS = 5.0
"""A job that waited so long for its worker to start had a cold start."""


def job_metrics(result: JobResult, *, stack: str, gpu_memory_bytes: int = 0) -> dict[str, Any]:
    """The fields of a log line that CloudWatch makes metrics of, dimension `Stack`."""
    values: dict[str, tuple[str, float]] = {
        "ColdStarts": ("Count", float(result.timings.get(JobPhase.STARTING, 0.0) > COLD_AFTER_SECONDS)),
        "DiskCacheHits": ("Count", result.metrics.disk.hits),
        "DiskCacheMisses": ("Count", result.metrics.disk.misses),
        "ModelCacheHits": ("Count", result.metrics.memory.hits),
        "ModelCacheMisses": ("Count", result.metrics.memory.misses),
        "GpuMemoryBytes": ("Bytes", gpu_memory_bytes),
    }
    listed = [{"Name": name, "Unit": unit} for name, (unit, _) in values.items()]
    told = {"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": listed}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [told]},
        "Stack": stack,
        **{name: value for name, (_, value) in values.items()},
    }


def gpu_memory_peak() -> int:
    """Bytes of GPU memory this process has held at most since the last call; 0 without a GPU."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak

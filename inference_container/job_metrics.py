"""What CloudWatch learns of a job from the container's log (EMF), so that no call is made for it."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import JobResult
from generate_on_cloud.contract.metrics import NAMESPACE, STACK, UNITS, ContainerMetric

COLD_AFTER_SECONDS = 5.0
"""A job that waited so long for its worker to start had a cold start."""


def result_metrics(result: JobResult, *, gpu_memory_bytes: int = 0) -> dict[ContainerMetric, float]:
    """What a finished job tells of itself."""
    starting = result.timings.get(JobPhase.STARTING, 0.0)
    return {
        ContainerMetric.COLD_STARTS: float(starting > COLD_AFTER_SECONDS),
        ContainerMetric.DISK_CACHE_HITS: result.metrics.disk.hits,
        ContainerMetric.DISK_CACHE_MISSES: result.metrics.disk.misses,
        ContainerMetric.MODEL_CACHE_HITS: result.metrics.memory.hits,
        ContainerMetric.MODEL_CACHE_MISSES: result.metrics.memory.misses,
        ContainerMetric.GPU_MEMORY_BYTES: gpu_memory_bytes,
    }


def cost_metrics(seconds: float, *, price_per_hour: float) -> dict[ContainerMetric, float]:
    """US dollars of a job that had one GPU for `seconds`; nothing when its price is not known (0)."""
    return {ContainerMetric.JOB_COST_USD: seconds * price_per_hour / 3600} if price_per_hour else {}


def metric_fields(values: Mapping[ContainerMetric, float], *, stack: str) -> dict[str, Any]:
    """The fields of a log line that CloudWatch makes metrics of, dimension `Stack`; none when there are no values."""
    if not values:
        return {}
    listed = [{"Name": name.value, "Unit": UNITS[name]} for name in values]
    told = {"Namespace": NAMESPACE, "Dimensions": [[STACK]], "Metrics": listed}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [told]},
        STACK: stack,
        **{name.value: value for name, value in values.items()},
    }


def gpu_memory_peak() -> int:
    """Bytes of GPU memory this process has held at most since the last call; 0 without a GPU."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak

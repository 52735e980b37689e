"""A job's CloudWatch metrics, written to the container's log (EMF) so that they need no API call."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import JobResult
from generate_on_cloud.contract.metrics import NAMESPACE, STACK, UNITS, ContainerMetric

COLD_AFTER_SECONDS = 5.0
"""A job that waits longer than this for its worker to start counts as a cold start."""


def result_metrics(result: JobResult, *, gpu_memory_bytes: int = 0) -> dict[ContainerMetric, float]:
    """Metrics of a succeeded job."""
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
    """The cost in US dollars of a job that used one GPU for `seconds`; empty if the price is unknown (0)."""
    return {ContainerMetric.JOB_COST_USD: seconds * price_per_hour / 3600} if price_per_hour else {}


def metric_fields(values: Mapping[ContainerMetric, float], *, stack: str) -> dict[str, Any]:
    """The fields of a log line that CloudWatch turns into metrics with dimension `Stack`; empty without values."""
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
    """The peak of GPU memory in bytes that this process used since the last call; 0 without a GPU."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0
    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak

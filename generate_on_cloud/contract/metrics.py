"""Metrics that the container's log lines send to CloudWatch: names and units; the dashboard shows every one of them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

NAMESPACE: Final = "GenerateOnCloud"
STACK: Final = "Stack"
"""The only dimension of every metric."""


class ContainerMetric(StrEnum):
    COLD_STARTS = "ColdStarts"
    """Jobs that waited for an instance or a container to start."""
    DISK_CACHE_HITS = "DiskCacheHits"
    DISK_CACHE_MISSES = "DiskCacheMisses"
    MODEL_CACHE_HITS = "ModelCacheHits"
    MODEL_CACHE_MISSES = "ModelCacheMisses"
    GPU_MEMORY_BYTES = "GpuMemoryBytes"
    """Peak memory during a job."""
    JOB_COST_USD = "JobCostUsd"
    """GPU seconds at the price of the instance type; absent if the price is unknown."""


UNITS: Final[Mapping[ContainerMetric, str]] = {
    **dict.fromkeys(ContainerMetric, "Count"),
    ContainerMetric.GPU_MEMORY_BYTES: "Bytes",
    ContainerMetric.JOB_COST_USD: "None",
}
"""CloudWatch's unit names; it has none for money."""

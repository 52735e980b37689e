"""`python -m benchmarks`: job overhead and memory on a separate local cloud; `benchmarks.api` measures only the API."""

import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import KIND

JOBS = 30
PARAMS = {"prompt": "a red circle on a blue background", "steps": 20, "width": 64, "height": 64, "seed": 1}


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder), unkindness=KIND) as cloud:
        _print_memory(cloud, "idle, before the first job")
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            service.assets.upload(TRAINED, "checkpoint")
            _print_overhead(service, TRAINED.name)
        _print_memory(cloud, f"idle, after {JOBS} jobs")


def _print_overhead(service: GenerateOnCloud, checkpoint: str) -> None:
    """Seconds from submitting a job until its result arrives, without the container's time for the job."""
    service.jobs.finish(service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=PARAMS, checkpoint=checkpoint)).job_id)
    overheads, jobs, submits = [], [], []
    for _ in range(JOBS):
        began = time.perf_counter()
        job_id = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=PARAMS, checkpoint=checkpoint)).job_id
        submitted = time.perf_counter()
        while (job := service.jobs.get(job_id)).status in {JobStatus.QUEUED, JobStatus.RUNNING}:
            time.sleep(0.02)
        ended = time.perf_counter()
        if job.result is None:
            raise SystemExit(f"the job did not succeed: {job.error}")
        overheads.append(ended - began - job.result.timings["total"])
        jobs.append(job.result.timings["total"])
        submits.append(submitted - began)
    print(f"job overhead, {JOBS} jobs one after the other, seconds")
    _print_spread("  POST /v1/jobs", submits)
    _print_spread("  submit to result, without the container's own time", overheads)
    _print_spread("  the container's own time", jobs)
    print(f"  overhead / container time: {statistics.median(overheads) / statistics.median(jobs):.2f}")


def _print_spread(name: str, seconds: Iterable[float]) -> None:
    ordered = sorted(seconds)
    print(f"{name}: min {ordered[0]:.3f}, median {statistics.median(ordered):.3f}, max {ordered[-1]:.3f}")


def _print_memory(cloud: LocalCloud, when: str) -> None:
    time.sleep(2)
    server = psutil.Process(cloud.pid)
    kinds: Counter[str] = Counter()
    for child in server.children(recursive=True):
        kind = "container" if "inference_container" in " ".join(child.cmdline()) else "warm functions"
        kinds[kind] += child.memory_info().rss
    others = ", ".join(f"{kind} {size / 1e6:.0f} MB" for kind, size in sorted(kinds.items()))
    print(f"memory (RSS), {when}: local cloud {server.memory_info().rss / 1e6:.0f} MB, {others}")


if __name__ == "__main__":
    main()

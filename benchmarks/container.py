"""`python -m benchmarks.container`: start, memory and overhead of the container with a model of full size.

Stable Diffusion 1.5's shapes with random weights, on the CPU, on Linux; written once to `build/benchmarks` (2.1 GB).
"""

import argparse
import base64
import http.client
import io
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.settings import ContainerSettings
from inference_container.task import TaskInput
from inference_container.tasks import TASKS
from local_cloud.preflight import free_port
from tests.model_calls import ModelCalls
from tests.tiny_checkpoint import STABLE_DIFFUSION_1_5, random_state

CHECKPOINT = Path("build/benchmarks/sd15-random-fp16.safetensors")
CHECKPOINT_BYTES = 2_200_000_000
AWS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
"""Enough to become ready; a container makes no calls before its first job."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="width and height of the pictures")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side of a comparison runs")
    parser.add_argument("--starts", type=int, default=5, help="how many fresh containers are started")
    chosen = parser.parse_args()
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    threads = torch.get_num_threads()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads, load {load}, torch {torch.__version__}")
    print_starts(chosen.starts)
    make_checkpoint()
    checkpoint = print_loading()
    for task in (Task.TXT2IMG, Task.IMG2IMG):
        print_overhead(task, checkpoint, size=chosen.size, steps=chosen.steps, rounds=chosen.rounds)
    print(f"  peak memory with the jobs: {status_bytes('VmHWM') / checkpoint.bytes:.2f}× the weights")


def print_starts(runs: int) -> None:
    """Compare the start of the container, until `/ping` succeeds, with a process that only imports torch."""
    sides: dict[str, Callable[[], float]] = {"torch": _import_torch, "ready": _start_container}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for run in range(runs + 1):
        for name, measure in sides.items():
            taken = measure()
            if run:  # the first round only writes byte code and reads the disk
                seconds[name].append(taken)
    ready, bare = (statistics.median(seconds[name]) for name in ("ready", "torch"))
    print(f"start, medians of {runs} fresh processes, seconds of processor time")
    print(f"  until /ping is green {ready:.2f}, import torch {bare:.2f}, ratio {ready / bare:.2f}")


def make_checkpoint() -> None:
    """Write the file unless it exists, in a separate process, so that its memory does not count."""
    if CHECKPOINT.is_file():
        return
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CHECKPOINT.parent).free
    if free < 2 * CHECKPOINT_BYTES:
        raise SystemExit(
            f"the checkpoint needs {2 * CHECKPOINT_BYTES / 1e9:.1f} GB of disk in {CHECKPOINT.parent}, "
            f"only {free / 1e9:.1f} GB are free"
        )
    writer = multiprocessing.get_context("spawn").Process(target=write_checkpoint)
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        raise SystemExit(f"the checkpoint could not be written: exit code {writer.exitcode}")


def write_checkpoint() -> None:
    partial = CHECKPOINT.with_suffix(".tmp")
    save_file(random_state(STABLE_DIFFUSION_1_5, dtype=torch.float16), partial)
    partial.replace(CHECKPOINT)


def print_loading() -> Checkpoint:
    """Load the checkpoint and print the peak memory."""
    dtype = torch.bfloat16 if _has_bfloat16() else torch.float32
    file = ModelFile(AssetType.CHECKPOINT, CHECKPOINT.name, CHECKPOINT, "0" * 64)
    before, reading = status_bytes("VmRSS"), _read_file()
    began = time.perf_counter()
    checkpoint = load_checkpoint(file, device=torch.device("cpu"), dtype=dtype)
    loading = time.perf_counter() - began
    weights, peak = checkpoint.bytes, status_bytes("VmHWM")
    print(f"loading {CHECKPOINT.stat().st_size / 1e9:.2f} GB in float16 as {dtype} (VAE float32)")
    print(f"  weights {weights / 1e9:.2f} GB, libraries {before / 1e9:.2f} GB, peak memory {peak / 1e9:.2f} GB")
    print(f"  peak / weights {peak / weights:.2f}; without the libraries {(peak - before) / weights:.2f}")
    print(f"  {loading:.1f} s, reading the file alone {reading:.1f} s (from the page cache)")
    return checkpoint


def print_overhead(task: Task, checkpoint: Checkpoint, *, size: int, steps: int, rounds: int) -> None:
    """Compare a task with the bare calls of its models, with the same inputs, in the same process, in turn."""
    params = PARAMS_BY_TASK[task].model_validate(_body(task, size=size, steps=steps))
    job = TaskInput(params=params, checkpoint=checkpoint, report=lambda _: None)
    watch = ModelCalls()
    ours, bare, shares = [], [], []
    for run in range(rounds + 1):
        began = time.perf_counter()
        with watch.watching(checkpoint):
            TASKS[task](job)
        ended = time.perf_counter()
        watch.replay()
        if run:  # the first round only warms caches and allocators
            ours.append(ended - began)
            bare.append(time.perf_counter() - ended)
            shares.append(1 - watch.seconds / ours[-1])
    whole, alone, share = (statistics.median(values) for values in (ours, bare, shares))
    pairs = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    unet = sum(module is checkpoint.unet for module, _, _ in watch.calls)
    print(f"{task.value}, {size}×{size}, {unet} UNet calls of batch 2, {len(watch.calls) - unet} other model calls")
    print(f"  ours {whole:.2f} s, bare calls {alone:.2f} s, medians of {rounds}; median ratio {pairs:.3f}")
    print(f"  outside the models {share:.2%} of a run, {share * whole * 1000:.0f} ms")


def _body(task: Task, *, size: int, steps: int) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": "a lighthouse", "steps": steps, "width": size, "height": size, "seed": 1}
    if task is Task.IMG2IMG:
        file = io.BytesIO()
        Image.radial_gradient("L").resize((size, size)).convert("RGB").save(file, "PNG")
        body["init_images"] = [base64.b64encode(file.getvalue()).decode()]
    return body


def _import_torch() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _start_container() -> float:
    """Processor seconds of a container until it is ready, which do not depend on the machine's load."""
    settings = ContainerSettings(
        JOBS_BUCKET="jobs", ASSETS_BUCKET="assets", JOBS_TABLE="jobs", HOST="127.0.0.1", PORT=free_port()
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "inference_container.server"],
        env={**os.environ, **AWS, **settings.environment()},
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _is_green(settings.PORT):
            if process.poll() is not None:
                raise SystemExit(f"the container exited with {process.returncode}")
            time.sleep(0.02)
        _, _, after_name = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")
        user, system = after_name.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    finally:
        process.kill()
        process.wait()


def _is_green(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _read_file() -> float:
    chunk = bytearray(16 * 1024**2)
    with CHECKPOINT.open("rb", buffering=0) as file:
        began = time.perf_counter()
        while file.readinto(chunk):
            pass
        return time.perf_counter() - began


def _has_bfloat16() -> bool:
    flags = Path("/proc/cpuinfo").read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def status_bytes(name: str) -> int:
    """A memory figure of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


if __name__ == "__main__":
    main()

"""`python -m benchmarks.models`: switching checkpoints, merging LoRAs and a warm job, compared with their minimum time.

Stable Diffusion 1.5's shapes with random weights, on the CPU, on Linux; written once to `build/benchmarks` (2.2 GB).
Ratios are of processor time, which other programs on the machine do not change.
"""

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import boto3
import numpy as np
import torch
from botocore import UNSIGNED
from botocore.config import Config
from safetensors.torch import save_file

from benchmarks.container import CHECKPOINT, make_checkpoint, status_bytes
from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import AssetRef
from generate_on_cloud.webui.prompt.extra_networks import LoraUse, NetworkPlan
from inference_container.asset_cache import AssetCache
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.networks.switch import NetworkSwitch
from local_cloud.cloud import LocalCloud

RANK = 16
LORAS = 3
PARAMS = {"prompt": "a red circle on a blue background", "steps": 2, "width": 64, "height": 64, "seed": 1}
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side of a comparison runs")
    rounds = parser.parse_args().rounds
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, torch {torch.__version__}")
    torch.set_num_threads(1)  # more threads would spin while they wait, which counts as processor time
    make_checkpoint()
    print_switching(rounds)
    print_merging(rounds)
    print_warm_job()


def print_switching(rounds: int) -> None:
    """Compare switching between checkpoints on disk, one at a time in memory, with reading such a file into memory."""
    size = CHECKPOINT.stat().st_size
    with tempfile.TemporaryDirectory(dir=CHECKPOINT.parent) as folder:
        refs = [_cached(Path(folder), number) for number in range(2)]
        s3 = boto3.client("s3", region_name="us-east-1", config=Config(signature_version=UNSIGNED))  # never called
        assets = AssetCache(s3, bucket="none", directory=Path(folder), max_bytes=4 * size)
        models = ModelCache(max_bytes=size + size // 4, load=partial(load_checkpoint, device=CPU, dtype=torch.float16))
        turn = iter(refs * (rounds + 1))

        def switch() -> None:
            with assets.borrow([next(turn)], check=lambda: None) as files:
                models.begin_job()
                models.checkpoint(files[0])

        libraries = status_bytes("VmRSS")
        switch()
        switch()
        weights, peak = models.bytes, status_bytes("VmHWM")
        switched, read = _compared(switch, _read_file, rounds=rounds)
        _, skimmed = _compared(lambda: None, _skim_file, rounds=rounds)
    print(f"switching to a checkpoint of {size / 1e9:.2f} GB in float16 (VAE to float32), medians of {rounds}")
    print(
        f"  {switched:.2f} s of processor time; reading the file into memory {read:.2f} s, ratio {switched / read:.2f}"
    )
    print(f"  reading it through one small buffer {skimmed:.2f} s, ratio {switched / skimmed:.2f}")
    print(f"  files fetched {assets.use.misses}, models loaded {models.use.misses}")
    print(f"  peak memory without the libraries {(peak - libraries) / weights:.2f}× the weights of one checkpoint")


def print_merging(rounds: int) -> None:
    """Compare merging three LoRAs into all attention layers of the UNet with a loop that only adds them."""
    checkpoint = load_checkpoint(_checkpoint_file(), device=CPU, dtype=torch.float16)
    layers = _attention_layers(checkpoint)
    files = [_lora(layers, number) for number in range(LORAS)]
    models = ModelCache(max_bytes=2**32, load=partial(load_checkpoint, device=CPU, dtype=torch.float16))
    plan = NetworkPlan(tuple(LoraUse(file.stem, 1.0, 0.8, None) for file in files))
    switch = NetworkSwitch(checkpoint, files=JobFiles(files), models=models)
    restored: list[float] = []

    def merge() -> None:
        switch.use(plan)

    def take_out() -> None:
        began = time.process_time()
        switch.use(NetworkPlan())
        restored.append(time.process_time() - began)

    switch.use(plan)  # reads the files
    take_out()
    with ExitStack() as stack:
        stack.enter_context(switch)
        merged, bare = _compared(merge, partial(_add, layers, files), rounds=rounds, after=take_out)
    print(f"merging {LORAS} LoRAs of rank {RANK} into {len(layers)} layers of the UNet, medians of {rounds}")
    print(f"  {merged:.2f} s of processor time, adding them in a bare loop {bare:.2f} s, ratio {merged / bare:.2f}")
    print(f"  removing them again {statistics.median(restored):.2f} s")


def print_warm_job() -> None:
    """Print what the second of two equal jobs downloads and loads, on a separate local cloud."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        cloud = stack.enter_context(LocalCloud(Path(folder)))
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            service.assets.upload(TRAINED, "checkpoint")
            for name in ("first", "second"):
                job = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=PARAMS, checkpoint=TRAINED.name))
                result = service.jobs.finish(job.job_id).result
                if result is None:
                    raise SystemExit("the job did not succeed")
                metrics = result.metrics
                print(f"{name} job: files fetched {metrics.disk.misses}, models loaded {metrics.memory.misses}")


def _compared(
    ours: Callable[[], None], bare: Callable[[], None], *, rounds: int, after: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Median processor seconds, run in turn after a warm-up round. `after` undoes `ours` and is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, run in zip(seconds, (ours, bare), strict=True):
            began = time.process_time()
            run()
            side.append(time.process_time() - began)
            if run is ours:
                after()
    one, other = (statistics.median(side[1:] or side) for side in seconds)
    return one, other


def _checkpoint_file() -> ModelFile:
    return ModelFile(AssetType.CHECKPOINT, CHECKPOINT.name, CHECKPOINT, "0" * 64)


def _cached(folder: Path, number: int) -> AssetRef:
    """The checkpoint as a file in the disk cache, under its own key and hash."""
    ref = AssetRef(
        asset_id=str(number),
        type=AssetType.CHECKPOINT,
        name=f"{number}.safetensors",
        key=f"assets/{number}/file.safetensors",
        size=CHECKPOINT.stat().st_size,
        sha256=f"{number:064x}",
    )
    os.link(CHECKPOINT, AssetCache.place_of(folder, ref))
    return ref


def _read_file() -> None:
    """Read the file into fresh memory, as a model needs it."""
    memory = np.empty(CHECKPOINT.stat().st_size, dtype=np.uint8).data
    with CHECKPOINT.open("rb", buffering=0) as file:
        done = 0
        while got := file.readinto(memory[done : done + 2**26]):
            done += got


def _skim_file() -> None:
    """Read the file from the page cache through one buffer, so that no new memory is touched."""
    chunk = bytearray(2**24)
    with CHECKPOINT.open("rb", buffering=0) as file:
        while file.readinto(chunk):
            pass


def _attention_layers(checkpoint: Checkpoint) -> dict[str, torch.nn.Linear]:
    return {
        name: layer
        for name, layer in checkpoint.unet.named_modules()
        if isinstance(layer, torch.nn.Linear) and ".transformer_blocks." in name
    }


def _lora(layers: dict[str, torch.nn.Linear], number: int) -> ModelFile:
    """A LoRA as kohya's scripts write it."""
    path = CHECKPOINT.parent / f"lora-{number}.safetensors"
    generator = torch.Generator().manual_seed(number)
    if shutil.disk_usage(path.parent).free < 2**30:
        raise SystemExit(f"a LoRA needs 0.1 GB of disk in {path.parent}")
    tensors: dict[str, torch.Tensor] = {}
    for name, layer in layers.items():
        kohya = f"lora_unet_{name.replace('.', '_')}"
        down = torch.randn(RANK, layer.in_features, generator=generator) / 100
        up = torch.randn(layer.out_features, RANK, generator=generator) / 100
        tensors |= {f"{kohya}.lora_down.weight": down.half(), f"{kohya}.lora_up.weight": up.half()}
        tensors[f"{kohya}.alpha"] = torch.tensor(RANK / 2)
    save_file(tensors, path)
    return ModelFile(AssetType.LORA, path.name, path, f"{number + 1:064x}")


def _add(layers: dict[str, torch.nn.Linear], files: list[ModelFile]) -> None:
    """Compute only the sums, in float32, from tensors in memory; the weights do not change."""
    if not _LOADED:
        from safetensors.torch import load_file

        _LOADED.extend(load_file(file.path) for file in files)
    for name, layer in layers.items():
        kohya, wide = f"lora_unet_{name.replace('.', '_')}", layer.weight.detach().float()
        for tensors in _LOADED:
            up, down = tensors[f"{kohya}.lora_up.weight"], tensors[f"{kohya}.lora_down.weight"]
            wide += (up.float() @ down.float()) * (0.8 * float(tensors[f"{kohya}.alpha"]) / RANK)
        wide.half()


_LOADED: list[dict[str, torch.Tensor]] = []


if __name__ == "__main__":
    main()

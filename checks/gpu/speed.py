"""Whole pictures against the bare calls of the models and against diffusers' own pipeline, in turn; memory; loading."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from checks.gpu.bench import PROMPT, Bench, draw
from checks.gpu.pipelines import pipeline_of
from checks.gpu.report import Row, measured, skipped
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from tests.model_calls import ModelCalls

SIZES = {"SD 1.5": 512, "SDXL": 1024}


def check_speed(bench: Bench) -> Iterator[Row]:
    """Steps per second of each model, and the most memory that a picture takes."""
    for name, full in SIZES.items():
        size, steps, rounds = (64, 2, 1) if bench.tiny else (full, 20, 3)
        checkpoint = load_checkpoint(bench.large_model(name), device=bench.device, dtype=bench.dtype)
        yield _speed(bench, name, checkpoint, size=size, steps=steps, rounds=rounds)
        yield _memory(bench, name, checkpoint, size=size, steps=steps)
        del checkpoint


def _speed(bench: Bench, name: str, checkpoint: Checkpoint, *, size: int, steps: int, rounds: int) -> Row:
    watch = ModelCalls()
    with watch.watching(checkpoint):
        draw(checkpoint, size=size, steps=steps)
    calls = [call for call in watch.calls if call[0] is checkpoint.unet]
    unet = ModelCalls(calls)
    theirs = pipeline_of(checkpoint)
    pipeline = partial(theirs, PROMPT, num_inference_steps=steps, guidance_scale=7, width=size, height=size)
    ours, whole, loop, other = _in_turn(
        bench,
        (partial(draw, checkpoint, size=size, steps=steps), watch.replay, unet.replay, pipeline),
        rounds=rounds,
    )
    return measured(
        "speed",
        f"{name}, {size}², {steps} steps",
        f"{steps / ours:.2f} steps/s in whole jobs ({ours:.2f} s); {ours / whole:.3f} of the bare calls of all models, "
        f"bare UNet loop {steps / loop:.2f} steps/s; {ours / other:.3f} of diffusers' pipeline ({other:.2f} s)",
        seconds=ours,
        bare_seconds=whole,
        unet_seconds=loop,
        pipeline_seconds=other,
    )


def _in_turn(bench: Bench, sides: tuple[Callable[[], object], ...], *, rounds: int) -> list[float]:
    """Median seconds of each side; all run in turn after a round that only warms up."""
    taken: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 1):
        for seconds, side in zip(taken, sides, strict=True):
            began = bench.seconds()
            side()
            if number:
                seconds.append(bench.seconds() - began)
    return [statistics.median(seconds) for seconds in taken]


def _memory(bench: Bench, name: str, checkpoint: Checkpoint, *, size: int, steps: int) -> Row:
    if not bench.on_gpu:
        return skipped("memory", f"{name}, {size}²", "needs CUDA")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(bench.device)
    draw(checkpoint, size=size, steps=steps)
    peak = torch.cuda.max_memory_allocated(bench.device)
    return measured(
        "memory",
        f"{name}, {size}²",
        f"peak {peak / 1e9:.2f} GB, {peak / checkpoint.bytes:.2f} of the weights",
        peak=peak,
        weights=checkpoint.bytes,
    )


def check_loading(bench: Bench) -> Iterator[Row]:
    """A file that is not in memory, from the page cache and with its first picture; then two that take turns."""
    file = bench.large_model("SD 1.5")
    size = 64 if bench.tiny else 512
    began = bench.seconds()
    checkpoint = load_checkpoint(file, device=bench.device, dtype=bench.dtype)
    loaded = bench.seconds()
    draw(checkpoint, size=size, steps=1)
    drawn = bench.seconds()
    room, gigabytes = checkpoint.bytes * 5 // 4, file.path.stat().st_size / 1e9
    del checkpoint
    yield measured(
        "loading",
        f"cold, {gigabytes:.2f} GB",
        f"{loaded - began:.2f} s, {gigabytes / (loaded - began):.2f} GB/s; first picture {drawn - loaded:.2f} s",
        seconds=loaded - began,
        first_picture=drawn - loaded,
    )
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        models = ModelCache(max_bytes=room, load=partial(load_checkpoint, device=bench.device, dtype=bench.dtype))
        turns = [file, _copy(file, Path(folder))] * 2
        seconds = [_switch(bench, models, one) for one in turns]
    median = statistics.median(seconds[1:])
    yield measured("loading", "switching between two checkpoints", f"{median:.2f} s, median of 3", seconds=median)


def _switch(bench: Bench, models: ModelCache, file: ModelFile) -> float:
    began = bench.seconds()
    models.begin_job()
    models.checkpoint(file)
    return bench.seconds() - began


def _copy(file: ModelFile, folder: Path) -> ModelFile:
    path = folder / "other.safetensors"
    path.symlink_to(file.path.resolve())
    return ModelFile(file.type, path.name, path, "f" * 64)

"""Compiled blocks of the UNet: with a compiler, and with none."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from checks.gpu.bench import Bench, difference, draw
from checks.gpu.report import Row, judged, measured, skipped
from inference_container.models.gpu_layout import why_nothing_compiles
from inference_container.models.loader import load_checkpoint

SECTION = "compile"


def check_compiling(bench: Bench) -> Iterator[Row]:
    """Compiled blocks draw the same picture; where nothing can be compiled the picture is drawn all the same."""
    yield _without_compiler(bench)
    if not bench.on_gpu:
        yield skipped(SECTION, "with a compiler", "compiles only on CUDA")
        return
    reason = why_nothing_compiles(bench.device)
    if reason is not None:
        yield skipped(SECTION, "with a compiler", f"nothing compiles here: {reason}")
        return
    file, size, steps = bench.large_model("SD 1.5"), 64 if bench.tiny else 512, 4 if bench.tiny else 20
    plain = load_checkpoint(file, device=bench.device, dtype=bench.dtype)
    expected = draw(plain, size=size, steps=steps)
    uncompiled = _timed(bench, plain, size=size, steps=steps)
    del plain
    compiled = load_checkpoint(file, device=bench.device, dtype=bench.dtype, compile_blocks=True)
    began = bench.seconds()
    picture = draw(compiled, size=size, steps=steps)
    first = bench.seconds() - began
    warm = _timed(bench, compiled, size=size, steps=steps)
    mean, near = difference(picture, expected)
    yield judged(
        SECTION,
        "with a compiler: the picture",
        good=mean <= 12,
        text=f"mean difference {mean:.2f} levels from uncompiled",
        mean=mean,
        near=near,
    )
    yield measured(
        SECTION,
        "with a compiler: the time",
        f"first {first:.1f} s, then {warm:.2f} s; uncompiled {uncompiled:.2f} s, ratio {warm / uncompiled:.2f}",
        first=first,
        warm=warm,
        uncompiled=uncompiled,
    )


def _timed(bench: Bench, checkpoint: object, *, size: int, steps: int) -> float:
    began = bench.seconds()
    draw(checkpoint, size=size, steps=steps)  # type: ignore[arg-type]
    return bench.seconds() - began


def _without_compiler(bench: Bench) -> Row:
    with tempfile.TemporaryDirectory() as empty:
        environment = {
            **os.environ,
            "PATH": empty,
            "CC": f"{empty}/cc",
            "CXX": f"{empty}/cxx",
            "TRITON_CACHE_DIR": f"{empty}/triton",
            "TORCHINDUCTOR_CACHE_DIR": f"{empty}/inductor",
        }
        arguments = [sys.executable, "-m", "checks.gpu.compiling", str(bench.small_models()["tiny SD 1"].path)]
        answer = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    lines = (answer.stdout if answer.returncode == 0 else answer.stderr).strip().splitlines()
    last = lines[-1] if lines else f"exit code {answer.returncode}"
    return judged(SECTION, "without a compiler a picture is drawn", good=answer.returncode == 0, text=last[:160])


def draw_compiled(path: Path) -> None:
    """Load the model with compiled blocks, draw, and print why nothing compiled."""
    bench = Bench(torch.device("cuda" if torch.cuda.is_available() else "cpu"), path.parent, tiny=True, ends_at=0)
    file = bench.small_models()["tiny SD 1"]
    checkpoint = load_checkpoint(file, device=bench.device, dtype=torch.float32, compile_blocks=True)
    picture = draw(checkpoint, size=64, steps=2)
    why = why_nothing_compiles(bench.device) if bench.on_gpu else "only a GPU compiles"
    print(f"drawn {picture.shape[1]}×{picture.shape[0]}; {'a compiler was found nevertheless' if why is None else why}")


if __name__ == "__main__":
    draw_compiled(Path(sys.argv[1]))

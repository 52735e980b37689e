"""Half precision against float32, for each family, on this device."""

from collections.abc import Iterator

import numpy as np
import torch

from checks.gpu.bench import TRAINED_MODEL, Bench, Levels, difference, draw
from checks.gpu.report import Row, judged
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint

SECTION = "precision"
MOST_LEVELS = 12.0
"""Mean difference in levels that the trained model may have in half precision; a picture of noise differs by 60."""
CPU = torch.device("cpu")


def check_precision(bench: Bench) -> Iterator[Row]:
    """A row for each model and precision. The reference is float32 on the CPU, for models of full size on the GPU."""
    size, steps = (64, 1) if bench.tiny else (64, 20)
    for name, file in bench.small_models().items():
        expected = _draw(file, CPU, torch.float32, size=size, steps=steps)
        yield from _rows(bench, name, file, expected, size=size, steps=steps)
    if bench.tiny:
        return
    for name, size in (("SD 1.5", 512), ("SDXL", 1024)):
        file = bench.large_model(name)
        expected = _draw(file, bench.device, torch.float32, size=size, steps=8)
        yield from _rows(bench, f"random {name}, {size}²", file, expected, size=size, steps=8)


def _rows(bench: Bench, name: str, file: ModelFile, expected: Levels, *, size: int, steps: int) -> Iterator[Row]:
    kinds = [torch.float32, torch.float16, torch.bfloat16] if bench.on_gpu else [torch.bfloat16]
    for dtype in kinds:
        picture = _draw(file, bench.device, dtype, size=size, steps=steps)
        mean, near = difference(picture, expected)
        # A failed VAE or UNet gives one colour; random weights say nothing about how near two precisions are.
        good = bool(np.ptp(picture) > 0) and (name != TRAINED_MODEL or mean <= MOST_LEVELS)
        yield judged(
            SECTION,
            f"{name}, {str(dtype).removeprefix('torch.')}",
            good=good,
            text=f"mean difference {mean:.2f} levels, {near:.1%} of values within 2",
            mean=mean,
            near=near,
        )


def _draw(file: ModelFile, device: torch.device, dtype: torch.dtype, *, size: int, steps: int) -> Levels:
    return draw(load_checkpoint(file, device=device, dtype=dtype), size=size, steps=steps)

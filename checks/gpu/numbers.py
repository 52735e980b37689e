"""What happens to numbers on this device: NaN, and the noise of CUDA."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from checks.gpu.bench import Bench, difference, draw
from checks.gpu.report import Row, judged, skipped
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.diffusion.noise import draws_of
from inference_container.models.loader import load_checkpoint

SEEDS = (0, 1, 2**31, 2**32 + 5)
SHAPE = (4, 64, 64)
FIRST_OF_SEED_0 = (-0.92466, -0.42534, -2.64385, 0.14518)
"""CUDA's first numbers of seed 0 and shape (3, 4)."""
TOO_MUCH = 1e6
"""More than float16 holds, and nothing to the normalisation that follows."""


def check_nan(bench: Bench) -> Iterator[Row]:
    """A VAE that overflows in half precision is run again in float32; NaN of the UNet fails the job."""
    file = bench.small_models()["tiny SD 1"]
    checkpoint = load_checkpoint(file, device=bench.device, dtype=torch.float32)
    hook = checkpoint.vae.decoder.conv_in.register_forward_hook(_overflow)
    expected = draw(checkpoint, size=64, steps=2)
    checkpoint.vae.to(torch.float16)
    picture = draw(checkpoint, size=64, steps=2)
    hook.remove()
    mean, near = difference(picture, expected)
    yield judged(
        "NaN",
        "a VAE that overflows in float16",
        good=checkpoint.vae.dtype is torch.float32 and near >= 0.99,
        text=f"drawn in {checkpoint.vae.dtype}, mean difference from float32 {mean:.2f} levels",
        mean=mean,
        near=near,
    )
    checkpoint.unet.conv_in.weight.data[0] = torch.nan
    try:
        draw(checkpoint, size=64, steps=2)
        code = "no error"
    except JobFailed as error:
        code = str(error.error.code)
    yield judged(
        "NaN", "a UNet that gives NaN", good=code == JobErrorCode.NAN_LATENTS, text=f"the job ends with {code}"
    )


def _overflow(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
    return output * TOO_MUCH


def check_noise(bench: Bench) -> Iterator[Row]:
    """The software Philox against known numbers, and against the GPU's generator."""
    first = draws_of(0, source="NV", device=bench.device)((3, 4)).flatten()[:4].cpu()
    apart = float((first - torch.tensor(FIRST_OF_SEED_0)).abs().max())
    yield judged("noise", "NV: known numbers of seed 0", good=apart < 1e-4, text=f"{apart:.1e} apart", apart=apart)
    if not bench.on_gpu:
        yield skipped("noise", "NV and GPU against torch on CUDA", "needs CUDA")
        return
    for seed in SEEDS:
        generator = torch.Generator(bench.device).manual_seed(seed)
        expected = torch.randn(SHAPE, generator=generator, device=bench.device)
        for source, most in (("GPU", 0.0), ("NV", 1e-5)):
            apart = float((draws_of(seed, source=source, device=bench.device)(SHAPE) - expected).abs().max())  # type: ignore[arg-type]
            yield judged(
                "noise", f"{source} of seed {seed}", good=apart <= most, text=f"{apart:.1e} apart", apart=apart
            )

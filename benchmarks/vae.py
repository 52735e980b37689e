"""`python -m benchmarks.vae`: the VAE as we load it against one whose weights lie as in the file.

Stable Diffusion 1.5's VAE with random weights, float32, on the CPU, one thread; ratios are of processor time.
"""

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile
from inference_container.models.vae_file import load_vae
from tests.tiny_checkpoint import STABLE_DIFFUSION_1_5, calm_vae, random_tensor, tiny_config, vae_shapes

CPU = torch.device("cpu")
CONFIG = {"block_out_channels": list(STABLE_DIFFUSION_1_5.vae_widths), "norm_num_groups": 32, "sample_size": 512}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="width and height of the picture")
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # more threads would spin while they wait, which counts as processor time
    ours = make_vae()
    plain = copy.deepcopy(ours).to(memory_format=torch.contiguous_format)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(1, 3, chosen.size, chosen.size, generator=generator) * 2 - 1
    latents = torch.randn(1, 4, chosen.size // 8, chosen.size // 8, generator=generator)
    taken: dict[str, list[float]] = {"encode": [], "decode": []}
    for number in range(chosen.rounds + 1):
        for name, ratios in taken.items():
            mine, seconds = _timed(ours, name, pixels, latents)
            theirs, plain_seconds = _timed(plain, name, pixels, latents)
            if number:  # the first round only warms up
                ratios.append(seconds / plain_seconds)
            apart = float((mine - theirs).abs().max() / theirs.abs().max())
            if number == chosen.rounds:
                ratio = statistics.median(ratios)
                print(f"{name}, {chosen.size}²: {seconds:.2f} s, ratio {ratio:.2f}, values {apart:.0e} apart")


def make_vae() -> Any:
    """The VAE as a job has it."""
    generator = torch.Generator().manual_seed(0)
    state = {name: random_tensor(name, shape, generator) for name, shape in vae_shapes(STABLE_DIFFUSION_1_5)}
    calm_vae(state)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vae.safetensors"
        save_file(state, path)
        like = {**tiny_config()["vae/config.json"], **CONFIG}
        return load_vae(
            ModelFile(AssetType.VAE, path.name, path, "0" * 64), like=like, device=CPU, dtype=torch.float32
        ).vae


@torch.inference_mode()
def _timed(vae: Any, name: str, pixels: Tensor, latents: Tensor) -> tuple[Tensor, float]:
    began = time.process_time()
    values: Tensor = vae.encode(pixels).latent_dist.mode() if name == "encode" else vae.decode(latents).sample
    return values, time.process_time() - began


if __name__ == "__main__":
    main()

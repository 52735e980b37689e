"""LCM: jumps to the clean latent and adds noise again (Luo et al. 2023)."""

from itertools import pairwise

from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun


def sample_lcm(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    for sigma, sigma_next in pairwise(run.levels):
        x = denoise(x, sigma)
        if sigma_next > 0:
            x = x + sigma_next * run.noise(sigma, sigma_next)
    return x

"""Euler and Euler a (Karras et al. 2022, algorithm 2 without correction; ancestral variant)."""

from itertools import pairwise

from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, ancestral_step, churned, derivative


def sample_euler(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    for sigma, sigma_next in pairwise(run.levels):
        x, raised = churned(x, sigma, run)
        x = x + derivative(x, raised, denoise(x, raised)) * (sigma_next - raised)
    return x


def sample_euler_ancestral(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    """Euler a; `s_noise` has no effect, because WebUI 1.10.1 never passes it to this sampler."""
    for sigma, sigma_next in pairwise(run.levels):
        down, up = ancestral_step(sigma, sigma_next, run.options.ancestral)
        x = x + derivative(x, sigma, denoise(x, sigma)) * (down - sigma)
        if sigma_next > 0:
            x = x + run.noise(sigma, sigma_next) * up
    return x

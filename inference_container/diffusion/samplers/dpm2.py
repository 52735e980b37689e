"""DPM2 and DPM2 a: the midpoint method in log σ (Karras et al. 2022; Lu et al. 2022)."""

from itertools import pairwise

from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, ancestral_step, churned, derivative


def _midpoint_step(denoise: Denoiser, x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
    slope = derivative(x, sigma, denoise(x, sigma))
    if target == 0:
        return x + slope * (target - sigma)
    middle = sigma.log().lerp(target.log(), 0.5).exp()
    halfway = x + slope * (middle - sigma)
    return x + derivative(halfway, middle, denoise(halfway, middle)) * (target - sigma)


def sample_dpm_2(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    for sigma, sigma_next in pairwise(run.levels):
        x, raised = churned(x, sigma, run)
        x = _midpoint_step(denoise, x, raised, sigma_next)
    return x


def sample_dpm_2_ancestral(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    for sigma, sigma_next in pairwise(run.levels):
        down, up = ancestral_step(sigma, sigma_next, run.options.ancestral)
        x = _midpoint_step(denoise, x, sigma, down)
        if down > 0:
            x = x + run.noise(sigma, sigma_next) * run.options.s_noise * up
    return x

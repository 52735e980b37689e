"""Heun's second-order method, and Restart, which runs it over a schedule that climbs back up (Xu et al. 2023)."""

from itertools import pairwise

import torch
from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, churned, derivative

RESTART_FROM_STEPS = 20
RESTART_LOW, RESTART_HIGH = 0.1, 2.0
"""Restart goes from about σ = 0.1 back up to about σ = 2."""


def heun_step(denoise: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
    slope = derivative(x, sigma, denoise(x, sigma))
    reached = x + slope * (sigma_next - sigma)
    if sigma_next == 0:
        return reached
    slope_there = derivative(reached, sigma_next, denoise(reached, sigma_next))
    return x + (slope + slope_there) / 2 * (sigma_next - sigma)


def sample_heun(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    for sigma, sigma_next in pairwise(run.levels):
        x, raised = churned(x, sigma, run)
        x = heun_step(denoise, x, raised, sigma_next)
    return x


def _karras(steps: int, low: Tensor, high: Tensor) -> Tensor:
    rho = 7.0
    ends = low ** (1 / rho), high ** (1 / rho)
    sigmas = (ends[1] + torch.linspace(0, 1, steps) * (ends[0] - ends[1])) ** rho
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def restart_steps(sigmas: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The intervals of Restart's steps; from 20 steps on, one or two restarts use some of them."""
    steps = len(sigmas) - 1
    if steps < RESTART_FROM_STEPS:
        return list(pairwise(sigmas))
    inner, times = (steps // 4, 2) if steps >= 36 else (9, 1)
    sigmas = _karras(steps - inner * times, sigmas[-2], sigmas[0])
    low_index = int((sigmas - RESTART_LOW).abs().argmin())
    high_index = int((sigmas - RESTART_HIGH).abs().argmin())
    walk: list[tuple[Tensor, Tensor]] = []
    for index, interval in enumerate(pairwise(sigmas)):
        walk.append(interval)
        if index + 1 == low_index and high_index < low_index:
            again = _karras(inner + 1, sigmas[low_index], sigmas[high_index])[:-1]
            walk.extend(list(pairwise(again)) * times)
    return walk


def sample_restart(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    """Restart; `s_noise` has no effect, because WebUI 1.10.1 never passes it to this sampler."""
    last: Tensor | None = None
    for sigma, sigma_next in restart_steps(run.levels):
        if last is not None and last < sigma:
            x = x + run.noise(last, sigma) * (sigma**2 - last**2) ** 0.5
        x = heun_step(denoise, x, sigma, sigma_next)
        last = sigma_next
    return x

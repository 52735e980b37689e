"""DPM-Solver++ family: 2M, 2M SDE (midpoint and Heun), 3M SDE, 2S a, SDE (Lu et al. 2022; Crowson's SDE variants).

All of them use the time λ = -ln σ.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, ancestral_step, derivative


def _first_order(x: Tensor, denoised: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
    """The step from σ to the target, exact if the denoised latent were constant; σ_target/σ = e^-h."""
    h = sigma.log() - target.log()
    return (target / sigma) * x - (-h).expm1() * denoised


def sample_dpmpp_2m(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    previous: Tensor | None = None
    h_last: Tensor | None = None
    for sigma, sigma_next in pairwise(run.levels):
        denoised = denoise(x, sigma)
        h = sigma.log() - sigma_next.log()
        blended = denoised
        if previous is not None and h_last is not None and sigma_next > 0:
            half_ratio = 1 / (2 * (h_last / h))
            blended = (1 + half_ratio) * denoised - half_ratio * previous
        x = (sigma_next / sigma) * x - (-h).expm1() * blended
        previous, h_last = denoised, h
    return x


def _sample_dpmpp_2m_sde(
    denoise: Denoiser, x: Tensor, run: SamplerRun, *, solver_type: Literal["midpoint", "heun"]
) -> Tensor:
    eta = run.options.ancestral
    previous: Tensor | None = None
    h_last: Tensor | None = None
    for sigma, sigma_next in pairwise(run.levels):
        denoised = denoise(x, sigma)
        if sigma_next == 0:
            return denoised
        h = sigma.log() - sigma_next.log()
        h_eta = h * eta
        decay = (-h - h_eta).expm1().neg()
        x = sigma_next / sigma * (-h_eta).exp() * x + decay * denoised
        if previous is not None and h_last is not None:
            slope = (denoised - previous) / (h_last / h)
            x = x + (decay / (-h - h_eta) + 1 if solver_type == "heun" else 0.5 * decay) * slope
        if eta:
            unit = run.noise(sigma, sigma_next)
            x = x + unit * sigma_next * (-2 * h_eta).expm1().neg().sqrt() * run.options.s_noise
        previous, h_last = denoised, h
    return x


def sample_dpmpp_2m_sde(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    return _sample_dpmpp_2m_sde(denoise, x, run, solver_type="midpoint")


def sample_dpmpp_2m_sde_heun(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    return _sample_dpmpp_2m_sde(denoise, x, run, solver_type="heun")


def sample_dpmpp_3m_sde(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    eta = run.options.ancestral
    past: list[tuple[Tensor, Tensor]] = []
    """(denoised, h) of the last two steps, newest first."""
    for sigma, sigma_next in pairwise(run.levels):
        denoised = denoise(x, sigma)
        if sigma_next == 0:
            return denoised
        h = sigma.log() - sigma_next.log()
        h_eta = h * (eta + 1)
        x = (-h_eta).exp() * x + (-h_eta).expm1().neg() * denoised
        phi_2 = (-h_eta).expm1() / h_eta + 1
        if len(past) == 2:
            (one, h_1), (two, h_2) = past
            r0, r1 = h_1 / h, h_2 / h
            near, far = (denoised - one) / r0, (one - two) / r1
            slope = near + (near - far) * r0 / (r0 + r1)
            curve = (near - far) / (r0 + r1)
            x = x + phi_2 * slope - (phi_2 / h_eta - 0.5) * curve
        elif past:
            one, h_1 = past[0]
            x = x + phi_2 * (denoised - one) / (h_1 / h)
        if eta:
            unit = run.noise(sigma, sigma_next)
            x = x + unit * sigma_next * (-2 * h * eta).expm1().neg().sqrt() * run.options.s_noise
        past = [(denoised, h), *past[:1]]
    return x


def sample_dpmpp_2s_ancestral(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    for sigma, sigma_next in pairwise(run.levels):
        down, up = ancestral_step(sigma, sigma_next, run.options.ancestral)
        denoised = denoise(x, sigma)
        if down == 0:
            x = x + derivative(x, sigma, denoised) * (down - sigma)
        else:
            middle = (0.5 * (sigma.log() + down.log())).exp()
            halfway = _first_order(x, denoised, sigma, middle)
            x = _first_order(x, denoise(halfway, middle), sigma, down)
        if sigma_next > 0:
            x = x + run.noise(sigma, sigma_next) * run.options.s_noise * up
    return x


def sample_dpmpp_sde(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    eta, s_noise = run.options.ancestral, run.options.s_noise
    for sigma, sigma_next in pairwise(run.levels):
        denoised = denoise(x, sigma)
        if sigma_next == 0:
            x = x + derivative(x, sigma, denoised) * (sigma_next - sigma)
            continue
        # σ's pass through ln and exp, because Brownian trees round them to six digits and the last bit matters.
        t, t_next = -sigma.log(), -sigma_next.log()
        here, there = (-t).exp(), (-t_next).exp()
        middle = (-(t + (t_next - t) * 0.5)).exp()
        down, up = ancestral_step(here, middle, eta)
        halfway = _first_order(x, denoised, here, down) + run.noise(here, middle) * s_noise * up
        denoised_there = denoise(halfway, middle)
        down, up = ancestral_step(here, there, eta)
        x = _first_order(x, denoised_there, here, down) + run.noise(here, there) * s_noise * up
    return x

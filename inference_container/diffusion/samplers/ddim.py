"""Samplers over training timesteps: DDIM, DDIM CFG++ and PLMS (Song et al. 2021; Chung et al. 2024; Liu et al. 2022).

As in WebUI 1.10.1, the loop ends at the lowest timestep of the list without calling the model there.
"""

import torch
from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun


def _step(x: Tensor, noise: Tensor, direction: Tensor, *, alpha: Tensor, target: Tensor, sigma: float) -> Tensor:
    """Step to ᾱ = `target`: clean latent by `noise`, then along `direction`, leaving room for σ of new noise."""
    clean = (x - (1 - alpha).sqrt() * noise) / alpha.sqrt()
    return target.sqrt() * clean + (1 - target - sigma**2).sqrt() * direction


def _eta_sigma(alpha: Tensor, target: Tensor, eta: float) -> float:
    return eta * float(((1 - target) / (1 - alpha) * (1 - alpha / target)).sqrt())


def _sample_ddim(denoise: Denoiser, x: Tensor, run: SamplerRun, *, renoise_with_uncond: bool) -> Tensor:
    alphas = run.schedule.alphas_cumprod[run.levels]
    for index in range(len(run.levels) - 1, 0, -1):
        alpha, target = alphas[index], alphas[index - 1]
        guided, uncond = denoise.with_uncond(x, run.levels[index].float())
        sigma = _eta_sigma(alpha, target, run.options.ddim)
        direction = uncond if renoise_with_uncond else guided
        x = _step(x, guided, direction, alpha=alpha, target=target, sigma=sigma)
        # Drawn even if eta is 0, because the stream's position affects later noise.
        x = x + sigma * run.noise(run.levels[index], run.levels[index - 1])
    return x


def sample_ddim(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    return _sample_ddim(denoise, x, run, renoise_with_uncond=False)


def sample_ddim_cfgpp(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    """DDIM CFG++; for it, the table divides the denoiser's cfg_scale by 12.5."""
    return _sample_ddim(denoise, x, run, renoise_with_uncond=True)


_ADAMS_BASHFORTH = ((), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def sample_plms(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    alphas = run.schedule.alphas_cumprod[run.levels]
    past: list[Tensor] = []
    for index in range(len(run.levels) - 1, 0, -1):
        alpha, target = alphas[index], alphas[index - 1]
        noise = denoise(x, run.levels[index].float())
        past = [noise, *past[:3]]
        if len(past) == 1:
            reached = _step(x, noise, noise, alpha=alpha, target=target, sigma=0)
            blended = (noise + denoise(reached, run.levels[index - 1].float())) / 2
        else:
            weights = _ADAMS_BASHFORTH[len(past) - 1]
            blended = torch.stack([weight * eps for weight, eps in zip(weights, past, strict=True)]).sum(0)
        x = _step(x, blended, blended, alpha=alpha, target=target, sigma=0)
    return x

"""Finds the noise from which a picture would be sampled: Euler's method backwards, as WebUI's alternative test."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from inference_container.diffusion.denoiser import GuidedDenoiser
from inference_container.diffusion.denoising_model import DenoisingModel
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.noise_schedule import NoiseSchedule
from inference_container.diffusion.parameterization import SigmaParameterization


@dataclass(frozen=True)
class RecoveredNoise:
    """Noise found in a picture, and how much of the seeds' noise is mixed with it."""

    noise: Tensor
    """(B or 1, C, h, w), about unit variance."""
    randomness: float
    """0–1: the share of the seeds' noise."""

    def mixed(self, drawn: Tensor) -> Tensor:
        """Both noises as one of the same variance; `drawn` is the seeds', (B,C,h,w)."""
        kept, share = 1 - self.randomness, self.randomness
        noise: Tensor = (kept * self.noise.to(drawn) + share * drawn) / (share**2 + kept**2) ** 0.5
        return noise


@dataclass(frozen=True)
class _WithoutSkip(SigmaParameterization):
    """For models that predict v, WebUI's script leaves x unscaled."""

    def prediction(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        if self.prediction_type == "epsilon":
            return super().prediction(x, output, level)
        return x - output * level / (level**2 + 1) ** 0.5


@torch.inference_mode()
def recover_noise(
    model: DenoisingModel,
    latent: Tensor,
    guidance: Guidance,
    *,
    steps: int,
    adjusted: bool,
    copies: int = 1,
    image_conditioning: Tensor | None = None,
    on_call: Callable[[int], None] | None = None,
) -> Tensor:
    """The noise of `latent`, float32 (B,C,h,w) on the model's device, scaled to unit variance.

    Args:
        model: the weights, their noise schedule and prediction type.
        latent: the encoded pictures, (B,C,h,w).
        guidance: the prompts that describe them, B of each kind, and the CFG scale.
        steps: from the clean picture up to the largest noise level.
        adjusted: "Sigma adjustment": each step calls the model at the level that it starts from, not that it ends at.
        copies: how often a batch repeats the pictures, for the variance of the whole.
        image_conditioning: see `GuidedDenoiser`.
        on_call: called after every model call with the number of calls so far; may raise.

    Raises:
        JobFailed: the model returned NaN.
    """
    schedule = NoiseSchedule(model.alphas_cumprod)
    denoiser = GuidedDenoiser(
        model,
        _WithoutSkip(schedule, model.prediction_type),
        guidance,
        total_steps=steps,
        image_conditioning=image_conditioning,
        on_call=on_call,
    )
    levels = schedule.uniform(steps).flip(0)
    x = latent.to(device=model.device, dtype=torch.float32)
    for low, high in pairwise(levels):
        level = low if adjusted else high
        if level == 0:
            continue  # without noise the model has nothing to say: x is the clean picture
        x = x + (x - denoiser(x, level)) / level.to(x.device) * (high - low).to(x.device)
    return x / levels[-1].to(x.device) if adjusted else x / x.repeat(copies, 1, 1, 1).std()


def planned_recovery_calls(steps: int, *, adjusted: bool) -> int:
    """The number of model calls that `recover_noise` makes."""
    return steps - 1 if adjusted else steps

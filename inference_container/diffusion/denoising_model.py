"""The models that a run samples with: one, or one and the refiner that takes over from it (semantics §1.1)."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.parameterization import Parameterization

TRAIN_TIMESTEPS = 1000


class DenoisingModel(Protocol):
    """What sampling needs of a checkpoint; implemented by `models.checkpoint.Checkpoint`."""

    unet: Any
    """A diffusers UNet2DConditionModel."""
    prediction_type: str
    """`epsilon` or `v_prediction`."""
    alphas_cumprod: Tensor
    """ᾱ, shape (1000,)."""
    device: torch.device
    dtype: torch.dtype
    """The UNet's precision."""


@dataclass(frozen=True)
class Refiner:
    """WebUI's refiner: another checkpoint for the last part of a pass."""

    model: DenoisingModel
    guidance: Guidance
    """The same prompts, encoded by the refiner's own text encoders."""
    switch_at: float | None
    """Fraction of the training timesteps, counted from the noisiest; None: from the first call on."""
    by_steps: bool = False
    """`switch_at` is a fraction of the sampler's calls instead (option `refiner_switch_by_sample_steps`)."""


@dataclass(frozen=True)
class Takeover:
    """When and how the refiner takes over."""

    refiner: Refiner
    parameterization: Parameterization
    sigmas: Tensor | None
    """Training σ's of the first model; None if levels are timesteps already."""

    def due(self, level: Tensor, *, done: float) -> bool:
        """Whether the refiner makes the call at this σ or timestep: (999 - nearest timestep) / 1000 ≥ switch_at.

        `done` is the fraction of the sampler's calls before this one.
        """
        if self.refiner.switch_at is None:
            return True
        if self.refiner.by_steps:
            return done >= self.refiner.switch_at
        sigmas = self.sigmas
        nearest = int(level) if sigmas is None else int((sigmas - level.detach().cpu()).abs().argmin())
        return (TRAIN_TIMESTEPS - 1 - nearest) / TRAIN_TIMESTEPS >= self.refiner.switch_at

"""The inputs of every sampler, and the two steps that most samplers are built from."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import ImageParams
from inference_container.diffusion.noise import NoiseFunction
from inference_container.diffusion.noise_schedule import NoiseSchedule

UniPcVariant = Literal["bh1", "bh2", "vary_coeff"]
UniPcSkipType = Literal["time_uniform", "time_quadratic", "logSNR"]


class Denoiser(Protocol):
    """A guided model. `level` is a 0-dim float32 CPU tensor: σ, or the training timestep for timestep samplers."""

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        """The clean latent x0, or ε for timestep samplers; float32 in the shape of x."""
        ...

    def with_uncond(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """The guided prediction and that of the negative prompt alone, from one call."""
        ...


@dataclass(frozen=True)
class SamplerOptions:
    """Options of the samplers with WebUI's defaults; each sampler reads only those that it has in WebUI."""

    eta: float | None = None
    """The request's `eta`; None: `eta_ddim` for DDIM and DDIM CFG++, `eta_ancestral` for the others."""
    eta_ancestral: float = 1.0
    eta_ddim: float = 0.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = 0.0
    """0: no upper limit."""
    s_noise: float = 1.0
    uni_pc_variant: UniPcVariant = "bh1"
    uni_pc_skip_type: UniPcSkipType = "time_uniform"
    uni_pc_order: int = 3
    uni_pc_lower_order_final: bool = True

    @property
    def ancestral(self) -> float:
        return self.eta_ancestral if self.eta is None else self.eta

    @property
    def ddim(self) -> float:
        return self.eta_ddim if self.eta is None else self.eta

    @classmethod
    def from_params(cls, params: ImageParams) -> "SamplerOptions":
        """Read fields and options with the priorities of WebUI 1.10.1.

        The request's `eta` overrides the options; for the others, an option that differs from its default overrides
        the field.
        """

        options = params.options

        def value(name: str, option: float, given: float | None) -> float:
            return option if given is None or option != OPTIONS[name].default else given

        return cls(
            eta=params.eta,
            eta_ancestral=options.eta_ancestral,
            eta_ddim=options.eta_ddim,
            s_churn=value("s_churn", options.s_churn, params.s_churn),
            s_tmin=value("s_tmin", options.s_tmin, params.s_tmin),
            s_tmax=value("s_tmax", options.s_tmax, params.s_tmax),
            s_noise=value("s_noise", options.s_noise, params.s_noise),
            uni_pc_variant=options.uni_pc_variant,
            uni_pc_skip_type=options.uni_pc_skip_type,
            uni_pc_order=options.uni_pc_order,
            uni_pc_lower_order_final=options.uni_pc_lower_order_final,
        )

    def churn(self, sigma: Tensor, intervals: int) -> float:
        """γ: the fraction by which σ is raised before the step."""
        if not self.s_tmin <= float(sigma) <= (self.s_tmax or math.inf):
            return 0.0
        return min(self.s_churn / intervals, math.sqrt(2) - 1)


@dataclass(frozen=True)
class SamplerRun:
    """The inputs for one run of a sampler."""

    levels: Tensor
    """float32 σ's, descending to 0 (to σ_min for `range_only` samplers), or ascending int64 timesteps. They are on the
    CPU, where comparing them does not wait for a GPU; torch combines such scalars with tensors on any device."""
    noise: NoiseFunction
    options: SamplerOptions
    schedule: NoiseSchedule
    from_image: bool = False
    """Whether x is a noised picture (img2img) and not pure noise."""


SamplerFunction = Callable[[Denoiser, Tensor, SamplerRun], Tensor]
"""(denoiser, x (B,C,h,w) float32 at the first level, run) → latents (B,C,h,w)."""


def derivative(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dσ of the probability flow."""
    return (x - denoised) / sigma


def ancestral_step(sigma: Tensor, sigma_next: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The σ to step down to, and the amount of noise that raises it to σ_next again."""
    if not eta:
        return sigma_next, torch.zeros_like(sigma_next)
    up = eta * (sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2) ** 0.5
    up = torch.minimum(sigma_next, up)
    return (sigma_next**2 - up**2) ** 0.5, up


def churned(x: Tensor, sigma: Tensor, run: SamplerRun) -> tuple[Tensor, Tensor]:
    """x and σ after churn. Noise is drawn even without churn, because the stream's position affects later noise."""
    noise = run.noise(sigma, sigma)
    gamma = run.options.churn(sigma, len(run.levels) - 1)
    if gamma <= 0:
        return x, sigma
    raised = sigma * (gamma + 1)
    return x + noise * run.options.s_noise * (raised**2 - sigma**2) ** 0.5, raised

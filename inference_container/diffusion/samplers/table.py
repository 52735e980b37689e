"""The table of samplers by WebUI's names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from inference_container.diffusion.samplers.ddim import sample_ddim, sample_ddim_cfgpp, sample_plms
from inference_container.diffusion.samplers.dpm2 import sample_dpm_2, sample_dpm_2_ancestral
from inference_container.diffusion.samplers.dpm_solver import sample_dpm_adaptive, sample_dpm_fast
from inference_container.diffusion.samplers.dpmpp import (
    sample_dpmpp_2m,
    sample_dpmpp_2m_sde,
    sample_dpmpp_2m_sde_heun,
    sample_dpmpp_2s_ancestral,
    sample_dpmpp_3m_sde,
    sample_dpmpp_sde,
)
from inference_container.diffusion.samplers.euler import sample_euler, sample_euler_ancestral
from inference_container.diffusion.samplers.heun import restart_steps, sample_heun, sample_restart
from inference_container.diffusion.samplers.lcm import sample_lcm
from inference_container.diffusion.samplers.lms import sample_lms
from inference_container.diffusion.samplers.run import SamplerFunction
from inference_container.diffusion.samplers.unipc import sample_unipc


def _once(levels: Tensor) -> int:
    return len(levels) - 1


def _twice(levels: Tensor) -> int:
    """Two calls for each interval, but one for the interval that ends at 0."""
    return 2 * (len(levels) - 1) - int(levels[-1] == 0)


def _restart(levels: Tensor) -> int:
    return sum(1 if sigma_next == 0 else 2 for _, sigma_next in restart_steps(levels))


def _timesteps(levels: Tensor) -> int:
    return max(len(levels) - 1, 0)


def _plms(levels: Tensor) -> int:
    return len(levels) if len(levels) > 1 else 0


@dataclass(frozen=True)
class SamplerMethod:
    function: SamplerFunction
    calls: Callable[[Tensor], int] = _once
    """The number of model calls for these levels; an estimate for DPM adaptive."""
    brownian: bool = False
    """Whether it draws from Brownian trees instead of the images' generators."""
    range_only: bool = False
    """Whether it chooses its σ's itself. It receives as many evenly spaced σ's as steps, without a final 0: from the
    schedule's first to its penultimate one, or in txt2img from the model's σ_max to σ_min."""
    lcm: bool = False
    """Whether it calls the model as a latent consistency model, at the 50 σ's of those."""
    cfg_divisor: float = 1.0
    """Divisor of cfg_scale."""


SAMPLER_FUNCTIONS: Mapping[str, SamplerMethod] = MappingProxyType(
    {
        "DPM++ 2M": SamplerMethod(sample_dpmpp_2m),
        "DPM++ SDE": SamplerMethod(sample_dpmpp_sde, _twice, brownian=True),
        "DPM++ 2M SDE": SamplerMethod(sample_dpmpp_2m_sde, brownian=True),
        "DPM++ 2M SDE Heun": SamplerMethod(sample_dpmpp_2m_sde_heun, brownian=True),
        "DPM++ 2S a": SamplerMethod(sample_dpmpp_2s_ancestral, _twice),
        "DPM++ 3M SDE": SamplerMethod(sample_dpmpp_3m_sde, brownian=True),
        "Euler a": SamplerMethod(sample_euler_ancestral),
        "Euler": SamplerMethod(sample_euler),
        "LMS": SamplerMethod(sample_lms),
        "Heun": SamplerMethod(sample_heun, _twice),
        "DPM2": SamplerMethod(sample_dpm_2, _twice),
        "DPM2 a": SamplerMethod(sample_dpm_2_ancestral, _twice),
        "DPM fast": SamplerMethod(sample_dpm_fast, range_only=True),
        "DPM adaptive": SamplerMethod(sample_dpm_adaptive, range_only=True),
        "Restart": SamplerMethod(sample_restart, _restart),
        "DDIM": SamplerMethod(sample_ddim, _timesteps),
        "DDIM CFG++": SamplerMethod(sample_ddim_cfgpp, _timesteps, cfg_divisor=12.5),
        "PLMS": SamplerMethod(sample_plms, _plms),
        "UniPC": SamplerMethod(sample_unipc, len),
        "LCM": SamplerMethod(sample_lcm, lcm=True),
    }
)

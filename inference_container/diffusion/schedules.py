"""The table of noise schedules by WebUI's names, and the functions that choose and build them (semantics §5.2)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice, Schedule, resolve_schedule
from inference_container.diffusion.noise_schedule import NoiseSchedule

ALIGN_YOUR_STEPS_SD1 = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
OLD_KARRAS_RANGE = (0.1, 10.0)
ALIGN_YOUR_STEPS_SDXL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)


@dataclass(frozen=True)
class ScheduleOptions:
    """WebUI's options that change a schedule; 0 means the default of the model or schedule."""

    sigma_min: float = 0
    sigma_max: float = 0
    rho: float = 0
    beta_dist_alpha: float = 0.6
    beta_dist_beta: float = 0.6
    always_discard_next_to_last_sigma: bool = False
    old_karras_range: bool = False
    """Option `use_old_karras_scheduler_sigmas`: schedules run from 10 to 0.1 and not over the model's range."""
    sdxl: bool = False
    """Align Your Steps has another table for SDXL."""

    @classmethod
    def from_params(cls, params: ImageParams, *, sdxl: bool = False) -> "ScheduleOptions":
        """Read the request's options."""
        options = params.options
        return cls(
            sigma_min=options.sigma_min,
            sigma_max=options.sigma_max,
            rho=options.rho,
            beta_dist_alpha=options.beta_dist_alpha,
            beta_dist_beta=options.beta_dist_beta,
            always_discard_next_to_last_sigma=options.always_discard_next_to_last_sigma,
            old_karras_range=options.use_old_karras_scheduler_sigmas,
            sdxl=sdxl,
        )


@dataclass(frozen=True)
class SigmaRange:
    """The inputs that a schedule is built from."""

    schedule: NoiseSchedule
    low: float
    high: float
    options: ScheduleOptions

    def rho(self, default: float) -> float:
        return self.options.rho or default


ScheduleFunction = Callable[[int, SigmaRange], Tensor]
"""Returns σ's for this many steps, descending, normally with a final 0."""


def _closed(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas.to(torch.float32), torch.zeros(1)])


def _uniform(steps: int, sigma: SigmaRange) -> Tensor:
    return sigma.schedule.uniform(steps)


def _karras(steps: int, sigma: SigmaRange) -> Tensor:
    rho = sigma.rho(7)
    low, high = sigma.low ** (1 / rho), sigma.high ** (1 / rho)
    return _closed((high + torch.linspace(0, 1, steps) * (low - high)) ** rho)


def _exponential(steps: int, sigma: SigmaRange) -> Tensor:
    return _closed(torch.linspace(math.log(sigma.high), math.log(sigma.low), steps).exp())


def _polyexponential(steps: int, sigma: SigmaRange) -> Tensor:
    ramp = torch.linspace(1, 0, steps) ** sigma.rho(1)
    return _closed((ramp * (math.log(sigma.high) - math.log(sigma.low)) + math.log(sigma.low)).exp())


def _timesteps(steps: int, sigma: SigmaRange) -> Tensor:
    start, end = (float(sigma.schedule.sigma_to_t(torch.tensor(edge))) for edge in (sigma.high, sigma.low))
    return torch.linspace(start, end, steps)


def _sgm_uniform(steps: int, sigma: SigmaRange) -> Tensor:
    return _closed(sigma.schedule.t_to_sigma(_timesteps(steps + 1, sigma)[:-1]))


def _normal(steps: int, sigma: SigmaRange) -> Tensor:
    return _closed(sigma.schedule.t_to_sigma(_timesteps(steps, sigma)))


def _simple(steps: int, sigma: SigmaRange) -> Tensor:
    stride = len(sigma.schedule.sigmas) / steps
    return _closed(sigma.schedule.sigmas[[-(1 + int(step * stride)) for step in range(steps)]])


def _ddim(steps: int, sigma: SigmaRange) -> Tensor:
    stride = max(len(sigma.schedule.sigmas) // steps, 1)
    return _closed(sigma.schedule.sigmas[1::stride].flip(0))


def _kl_optimal(steps: int, sigma: SigmaRange) -> Tensor:
    part = torch.arange(steps + 1) / steps
    low, high = torch.tensor(sigma.low).arctan(), torch.tensor(sigma.high).arctan()
    return torch.tan(part * low + (1 - part) * high)


def _align_your_steps(steps: int, sigma: SigmaRange) -> Tensor:
    table = ALIGN_YOUR_STEPS_SDXL if sigma.options.sdxl else ALIGN_YOUR_STEPS_SD1
    if steps == len(table):
        return _closed(torch.tensor(table))
    rising = np.log(table[::-1])
    resampled = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(table)), rising)
    return _closed(torch.from_numpy(np.exp(resampled)[::-1].copy()))


def _beta(steps: int, sigma: SigmaRange) -> Tensor:
    from scipy.special import betaincinv  # imported late: it takes a tenth of torch's import time, for one schedule

    part = betaincinv(sigma.options.beta_dist_alpha, sigma.options.beta_dist_beta, 1 - np.linspace(0, 1, steps))
    return _closed(torch.from_numpy(sigma.low + part * (sigma.high - sigma.low)))


SCHEDULE_FUNCTIONS: Mapping[Schedule, ScheduleFunction] = MappingProxyType(
    {
        Schedule.AUTOMATIC: _uniform,
        Schedule.UNIFORM: _uniform,
        Schedule.KARRAS: _karras,
        Schedule.EXPONENTIAL: _exponential,
        Schedule.POLYEXPONENTIAL: _polyexponential,
        Schedule.SGM_UNIFORM: _sgm_uniform,
        Schedule.KL_OPTIMAL: _kl_optimal,
        Schedule.ALIGN_YOUR_STEPS: _align_your_steps,
        Schedule.SIMPLE: _simple,
        Schedule.NORMAL: _normal,
        Schedule.DDIM: _ddim,
        Schedule.BETA: _beta,
    }
)

DEFAULT_SCHEDULE_OPTIONS = ScheduleOptions()


def sigmas_for(
    choice: SamplerChoice, steps: int, schedule: NoiseSchedule, *, options: ScheduleOptions = DEFAULT_SCHEDULE_OPTIONS
) -> Tensor:
    """The σ list that WebUI 1.10.1 uses for `steps` steps: float32, descending, of length steps + 1.

    Two schedules differ: KL Optimal ends at σ_min and not at 0, and DDIM may be longer.
    Samplers that discard the penultimate σ get a schedule with one step more, without its penultimate entry.

    Raises:
        ValueError: the sampler uses timesteps, steps is below 1, or sigma_min is not below sigma_max.
    """
    rule = SAMPLERS[choice.sampler]
    if rule.timestep:
        raise ValueError(f"{choice.sampler} uses timesteps and not a σ list")
    if steps < 1:
        raise ValueError(f"received steps = {steps}; allowed: at least 1")
    lowest, highest = OLD_KARRAS_RANGE if options.old_karras_range else (schedule.sigma_min, schedule.sigma_max)
    low, high = options.sigma_min or lowest, options.sigma_max or highest
    if not 0 < low < high:
        raise ValueError(f"received sigma_min = {low} and sigma_max = {high}; allowed: 0 < sigma_min < sigma_max")
    discard = rule.discard_penultimate_sigma or options.always_discard_next_to_last_sigma
    build = SCHEDULE_FUNCTIONS[resolve_schedule(choice)]
    sigmas = build(steps + discard, SigmaRange(schedule, low, high, options))
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if discard else sigmas


def timesteps_for(
    steps: int, schedule: NoiseSchedule, *, options: ScheduleOptions = DEFAULT_SCHEDULE_OPTIONS
) -> Tensor:
    """The ascending training timesteps of DDIM, DDIM CFG++, PLMS and UniPC: int64, at least `steps` long.

    Raises:
        ValueError: there is less than 1 step, or there are more steps than the model has timesteps.
    """
    total = len(schedule.sigmas)
    steps += options.always_discard_next_to_last_sigma
    if not 1 <= steps <= total:
        raise ValueError(f"received {steps} schedule steps for a timestep sampler; allowed: 1 to {total}")
    return (torch.arange(0, total, total // steps) + 1).clamp(0, total - 1)

"""UniPC: multistep, predicts x0 (Zhao et al. 2023), with its own grid of continuous times t in (0, 1]."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference_container.diffusion.noise_schedule import NoiseSchedule
from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, UniPcSkipType, UniPcVariant


class _Marginals:
    """ln α over continuous time, linear between the training timesteps: t = (timestep + 1) / N."""

    def __init__(self, schedule: NoiseSchedule) -> None:
        self.total = len(schedule.alphas_cumprod)
        self._t = np.linspace(0, 1, self.total + 1)[1:]
        self._log_alpha = 0.5 * np.log(schedule.alphas_cumprod.double().numpy())

    def log_alpha(self, t: float) -> float:
        return float(np.interp(t, self._t, self._log_alpha))

    def alpha(self, t: float) -> float:
        return math.exp(self.log_alpha(t))

    def sigma(self, t: float) -> float:
        return math.sqrt(-math.expm1(2 * self.log_alpha(t)))

    def lambda_(self, t: float) -> float:
        """Half the logarithm of the signal-to-noise ratio."""
        return self.log_alpha(t) - math.log(self.sigma(t))

    def time_of(self, lambda_: float) -> float:
        log_alpha = -0.5 * float(np.logaddexp(0, -2 * lambda_))
        return float(np.interp(log_alpha, self._log_alpha[::-1], self._t[::-1]))

    def grid(self, skip_type: UniPcSkipType, start: float, steps: int) -> list[float]:
        """steps + 1 times from `start` down to the lowest time."""
        end = 1 / self.total
        if skip_type == "logSNR":
            return [self.time_of(value) for value in np.linspace(self.lambda_(start), self.lambda_(end), steps + 1)]
        if skip_type == "time_quadratic":
            return [float(root**2) for root in np.linspace(math.sqrt(start), math.sqrt(end), steps + 1)]
        return [float(t) for t in np.linspace(start, end, steps + 1)]


@dataclass(frozen=True)
class _Evaluated:
    t: float
    clean: Tensor


@dataclass(frozen=True)
class _Weights:
    """Weights in: x at t = base - scale · Σ weight · (difference of model outputs)."""

    base: Tensor
    scale: float
    differences: list[Tensor]
    """Differences of the older outputs from the newest, each divided by its relative distance in λ."""
    predictor: list[float]
    corrector: list[float]
    """One more weight than `predictor`; the last is for the model output at t itself."""


def _phis(hh: float, count: int) -> list[float]:
    """h·φ_k(h) for k = 1, 2, …, numbered as in the paper."""
    values = [math.expm1(hh)]
    factorial = 1
    for k in range(1, count):
        values.append(values[-1] / hh - 1 / factorial)
        factorial *= k + 1
    return values


def _weights(
    x: Tensor, past: list[_Evaluated], t: float, *, order: int, marginals: _Marginals, variant: UniPcVariant
) -> _Weights:
    newest = past[-1]
    h = marginals.lambda_(t) - marginals.lambda_(newest.t)
    alpha = marginals.alpha(t)
    ratios = [(marginals.lambda_(past[-k].t) - marginals.lambda_(newest.t)) / h for k in range(2, order + 1)]
    differences = [(past[-k].clean - newest.clean) / ratios[k - 2] for k in range(2, order + 1)]
    knots = np.array([*ratios, 1.0])
    phis = _phis(-h, order + 2)
    base = marginals.sigma(t) / marginals.sigma(newest.t) * x - alpha * phis[0] * newest.clean
    if variant == "vary_coeff":
        columns = np.stack([knots**k / math.factorial(k + 1) for k in range(order)], axis=1)
        inner = np.linalg.inv(columns[:-1, :-1])
        full = np.linalg.inv(columns)
        # Each row k of the inverse is multiplied by its φ, and the rows are summed to one weight per difference. The
        # newest difference uses the penultimate row, as in the authors' code and therefore in WebUI.
        row_phis = np.array(phis[1 : order + 1])
        predictor = row_phis[:-1] @ inner if order > 1 else np.zeros(0)
        older = row_phis[:-1] @ full[:-1, :-1] if order > 1 else np.zeros(0)
        corrector = np.append(older, row_phis[-1] * full[-2 if order > 1 else -1, -1])
        return _Weights(base, alpha, differences, list(predictor), list(corrector))
    scale = -h if variant == "bh1" else math.expm1(-h)
    rows = np.stack([knots**k for k in range(order)])
    right = np.array([phis[k + 1] * math.factorial(k + 1) / scale for k in range(order)])
    predictor = np.array([0.5]) if order == 2 else np.linalg.solve(rows[:-1, :-1], right[:-1])
    corrector = np.array([0.5]) if order == 1 else np.linalg.solve(rows, right)
    return _Weights(base, alpha * scale, differences, list(predictor), list(corrector))


def _combined(weights: list[float], differences: list[Tensor], like: Tensor) -> Tensor:
    total = torch.zeros_like(like)
    for weight, difference in zip(weights, differences, strict=True):
        total = total + weight * difference
    return total


def sample_unipc(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    """UniPC with as many model calls as timesteps; their values only decide where img2img starts.

    With fewer steps than `uni_pc_order` WebUI fails; here the order is lowered.
    """
    steps = len(run.levels)
    if steps == 0:
        return x
    options, marginals = run.options, _Marginals(run.schedule)
    start = (int(run.levels[-1]) + 1) / marginals.total if run.from_image else 1.0
    times = marginals.grid(options.uni_pc_skip_type, start, steps)
    highest = min(options.uni_pc_order, steps)

    def evaluate(x_t: Tensor, t: float) -> _Evaluated:
        timestep = torch.tensor((t - 1 / marginals.total) * 1000, dtype=torch.float32)
        noise = denoise(x_t, timestep)
        return _Evaluated(t, (x_t - marginals.sigma(t) * noise) / marginals.alpha(t))

    past = [evaluate(x, times[0])]
    for step in range(1, steps + 1):
        order = min(step, highest)
        if options.uni_pc_lower_order_final and step >= highest:
            order = min(order, steps + 1 - step)
        newest, t = past[-1], times[step]
        weights = _weights(x, past, t, order=order, marginals=marginals, variant=options.uni_pc_variant)
        x = weights.base - weights.scale * _combined(weights.predictor, weights.differences, x)
        if step == steps:
            break
        reached = evaluate(x, t)
        differences = [*weights.differences, reached.clean - newest.clean]
        x = weights.base - weights.scale * _combined(weights.corrector, differences, x)
        past = [*past, reached][-highest:]
    return x

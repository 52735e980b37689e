"""DPM fast and DPM adaptive: DPM-Solver of orders 1 to 3 between two σ's (Lu et al. 2022, algorithms 1 to 4).

Both use only the length and the ends of the σ list, which are not 0; t = -ln σ. At denoising strength 0 the ends are
equal and the latent does not change; WebUI fails there.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, ancestral_step

ADAPTIVE_RTOL, ADAPTIVE_ATOL = 0.05, 0.0078
ADAPTIVE_FIRST_H = 0.05
ADAPTIVE_ACCEPT = 0.81
ADAPTIVE_ORDER = 3


class _Solver:
    """Steps from one latent x at time t; the orders share model calls at the same point."""

    def __init__(self, denoise: Denoiser, x: Tensor, t: Tensor) -> None:
        self._denoise, self._x, self._t = denoise, x, t
        self._known: dict[float, Tensor] = {}
        self._noise = self._noise_at(x, t)

    def _noise_at(self, x: Tensor, t: Tensor) -> Tensor:
        sigma = (-t).exp()
        return (x - self._denoise(x, sigma)) / sigma

    def _inner_noise(self, part: float, h: Tensor) -> Tensor:
        """ε after `part` of the step, by a first-order step."""
        if part not in self._known:
            s = self._t + part * h
            u = self._x - (-s).exp() * (part * h).expm1() * self._noise
            self._known[part] = self._noise_at(u, s)
        return self._known[part]

    def first(self, t_next: Tensor) -> Tensor:
        return self._x - (-t_next).exp() * (t_next - self._t).expm1() * self._noise

    def second(self, t_next: Tensor, *, part: float = 0.5) -> Tensor:
        h = t_next - self._t
        inner = self._inner_noise(part, h)
        correction = (-t_next).exp() / (2 * part) * h.expm1() * (inner - self._noise)
        return self.first(t_next) - correction

    def third(self, t_next: Tensor, *, part1: float = 1 / 3, part2: float = 2 / 3) -> Tensor:
        h = t_next - self._t
        inner = self._inner_noise(part1, h)
        s2 = self._t + part2 * h
        grown = (part2 * h).expm1()
        u = self._x - (-s2).exp() * grown * self._noise
        u = u - (-s2).exp() * (part2 / part1) * (grown / (part2 * h) - 1) * (inner - self._noise)
        outer = self._noise_at(u, s2)
        return self.first(t_next) - (-t_next).exp() / part2 * (h.expm1() / h - 1) * (outer - self._noise)


def _ancestral_time(t: Tensor, t_next: Tensor, t_end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The time to solve to, and the amount of noise that then raises the latent to σ(t_next)."""
    if not eta:
        return t_next, torch.zeros_like(t_next)
    down, _ = ancestral_step((-t).exp(), (-t_next).exp(), eta)
    target = torch.minimum(t_end, -down.log())
    # Rounding may put the target slightly before t_next, and the square root of -1e-9 would be NaN.
    return target, ((-t_next).exp() ** 2 - (-target).exp() ** 2).clamp(min=0) ** 0.5


def _ends(run: SamplerRun) -> tuple[Tensor, Tensor]:
    return -run.levels[0].log(), -run.levels[-1].log()


def fast_orders(calls: int) -> list[int]:
    """The orders of DPM fast's steps; they add up to the number of model calls."""
    if calls % 3 == 0:
        return [3] * (calls // 3 - 1) + [2, 1]
    return [3] * (calls // 3) + [calls % 3]


def sample_dpm_fast(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    start, end = _ends(run)
    orders = fast_orders(len(run.levels) - 1)
    times = torch.linspace(float(start), float(end), len(orders) + 1)
    for order, (t, t_next) in zip(orders, pairwise(times), strict=True):
        target, up = _ancestral_time(t, t_next, end, run.options.ancestral)
        solver = _Solver(denoise, x, t)
        x = (solver.first, solver.second, solver.third)[order - 1](target)
        x = x + up * run.options.s_noise * run.noise((-t).exp(), (-t_next).exp())
    return x


def sample_dpm_adaptive(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    """Chooses its steps by the error over the whole batch; as in WebUI, images of a batch affect each other only here.

    `s_noise` has no effect, because WebUI 1.10.1 never passes it to this sampler.
    """
    eta = run.options.ancestral
    start, end = _ends(run)
    order = 1.5 if eta else ADAPTIVE_ORDER
    t, h, previous = start, torch.full_like(start, ADAPTIVE_FIRST_H), x
    while t < end - 1e-5:
        t_next = torch.minimum(end, t + h)
        target, up = _ancestral_time(t, t_next, end, eta)
        solver = _Solver(denoise, x, t)
        low, high = solver.second(target, part=1 / 3), solver.third(target)
        delta = torch.maximum(
            torch.full_like(x, ADAPTIVE_ATOL), ADAPTIVE_RTOL * torch.maximum(low.abs(), previous.abs())
        )
        error = float(torch.linalg.vector_norm((low - high) / delta)) / math.sqrt(x.numel())
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / order) - 1)
        if factor >= ADAPTIVE_ACCEPT:
            previous = low
            x = high + up * run.noise((-t).exp(), (-t_next).exp())
            t = t_next
        h = h * factor
    return x

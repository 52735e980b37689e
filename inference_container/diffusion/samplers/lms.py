"""Linear multistep (Adams–Bashforth over σ), order 4."""

from itertools import pairwise

import numpy as np
from torch import Tensor

from inference_container.diffusion.samplers.run import Denoiser, SamplerRun, derivative

ORDER = 4


def multistep_coefficients(sigmas: list[float], index: int, order: int) -> list[float]:
    """Weights of the newest `order` slopes, newest first, for the step from sigmas[index] to the next.

    Each weight is the exact integral, over the step, of the Lagrange polynomial through the slopes' σ's.
    """
    knots = [sigmas[index - k] for k in range(order)]
    weights = []
    for j, knot in enumerate(knots):
        others = [other for k, other in enumerate(knots) if k != j]
        basis = np.poly1d(others, r=True) / np.prod([knot - other for other in others])
        integral = basis.integ()
        weights.append(float(integral(sigmas[index + 1]) - integral(sigmas[index])))
    return weights


def sample_lms(denoise: Denoiser, x: Tensor, run: SamplerRun) -> Tensor:
    sigmas = [float(sigma) for sigma in run.levels]
    slopes: list[Tensor] = []
    for index, (sigma, _) in enumerate(pairwise(run.levels)):
        slopes = [derivative(x, sigma, denoise(x, sigma)), *slopes[: ORDER - 1]]
        weights = multistep_coefficients(sigmas, index, len(slopes))
        for weight, slope in zip(weights, slopes, strict=True):
            x = x + weight * slope
    return x

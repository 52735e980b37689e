"""The noise levels a model was trained with, and the way between timestep and σ (semantics §2.9)."""

import torch
from torch import Tensor

LCM_TIMESTEPS = 50
"""How many of its training timesteps a latent consistency model was distilled on (WebUI 1.10.1)."""


TERMINAL_ALPHA = 4.8973451890853435e-08
"""What WebUI 1.10.1 puts for ᾱ = 0 at the end of a zero-terminal-SNR schedule, whose σ would be infinite."""


def rescale_to_zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """ᾱ, shape (N,), with √ᾱ stretched so that it keeps its first value and ends at nothing but noise."""
    signal = alphas_cumprod.sqrt()
    first, last = signal[0], signal[-1]
    rescaled: Tensor = ((signal - last) * (first / (first - last))) ** 2
    rescaled[-1] = TERMINAL_ALPHA
    return rescaled


class NoiseSchedule:
    """Training σ's of a diffusion model; σ = sqrt((1-ᾱ)/ᾱ), all float32 on the CPU."""

    alphas_cumprod: Tensor
    """ᾱ, shape (N,)."""
    sigmas: Tensor
    """Shape (N,), ascending."""

    def __init__(self, alphas_cumprod: Tensor) -> None:
        """Take ᾱ, shape (N,), descending, each between 0 and 1.

        Raises:
            ValueError: another shape.
        """
        if alphas_cumprod.ndim != 1 or len(alphas_cumprod) < 2:
            raise ValueError(f"received alphas_cumprod of shape {tuple(alphas_cumprod.shape)}; allowed: (1000,)")
        self.alphas_cumprod = alphas_cumprod.detach().to(device="cpu", dtype=torch.float32)
        self.sigmas = ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5
        self._log_sigmas = self.sigmas.log()

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def sigma_to_t(self, sigma: Tensor, *, quantize: bool = False) -> Tensor:
        """The timestep of σ: fractional, linear in log σ, clamped to the trained range; `quantize`: the nearest one."""
        log_sigma = sigma.to(device="cpu", dtype=torch.float32).log().reshape(-1)
        if quantize:
            return self._nearest(log_sigma).to(torch.float32).reshape(sigma.shape)
        low = (torch.searchsorted(self._log_sigmas, log_sigma, right=True) - 1).clamp(0, len(self.sigmas) - 2)
        below, above = self._log_sigmas[low], self._log_sigmas[low + 1]
        part = ((below - log_sigma) / (below - above)).clamp(0, 1)
        return ((1 - part) * low + part * (low + 1)).reshape(sigma.shape)

    def t_to_sigma(self, t: Tensor) -> Tensor:
        """σ of a fractional timestep, linear in log σ."""
        t = t.to(device="cpu", dtype=torch.float32).clamp(0, len(self.sigmas) - 1)
        low, high, part = t.floor().long(), t.ceil().long(), t.frac()
        return ((1 - part) * self._log_sigmas[low] + part * self._log_sigmas[high]).exp()

    def uniform(self, steps: int) -> Tensor:
        """`steps` σ's evenly spaced in this schedule's own timesteps, then 0."""
        return torch.cat([self.t_to_sigma(torch.linspace(len(self.sigmas) - 1, 0, steps)), torch.zeros(1)])

    def _nearest(self, log_sigma: Tensor) -> Tensor:
        return (log_sigma[None, :] - self._log_sigmas[:, None]).abs().argmin(dim=0)


class LcmNoiseSchedule(NoiseSchedule):
    """Every 20th training σ, which is all that the LCM sampler evaluates the model at."""

    def __init__(self, alphas_cumprod: Tensor) -> None:
        self.stride = len(alphas_cumprod) // LCM_TIMESTEPS
        super().__init__(alphas_cumprod[self.stride - 1 :: self.stride])

    def sigma_to_t(self, sigma: Tensor, *, quantize: bool = True) -> Tensor:  # noqa: ARG002 - always quantised
        log_sigma = sigma.to(device="cpu", dtype=torch.float32).log().reshape(-1)
        return (self._nearest(log_sigma) * self.stride + self.stride - 1).to(torch.float32).reshape(sigma.shape)

    def t_to_sigma(self, t: Tensor) -> Tensor:
        return super().t_to_sigma((t - (self.stride - 1)) / self.stride)

    def uniform(self, steps: int) -> Tensor:
        ends = self.sigma_to_t(self.sigmas[[-1, 0]])
        t = torch.linspace(float(ends[0]), float(ends[1]), steps)
        return torch.cat([self.t_to_sigma(t), torch.zeros(1)])

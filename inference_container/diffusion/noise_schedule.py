"""The noise levels that a model was trained with, and conversion between timesteps and σ (semantics §2.9)."""

import torch
from torch import Tensor

LCM_TIMESTEPS = 50
"""The number of training timesteps that latent consistency models are distilled on (WebUI 1.10.1)."""


TERMINAL_ALPHA = 4.8973451890853435e-08
"""WebUI 1.10.1 uses this for ᾱ = 0 at the end of a zero-terminal-SNR schedule, where σ would be infinite."""


def rescale_to_zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """ᾱ, shape (N,), with √ᾱ rescaled so that its first value is kept and the last step is pure noise."""
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
        """Build the schedule from ᾱ, shape (N,), descending, with values between 0 and 1.

        Raises:
            ValueError: the shape differs.
        """
        if alphas_cumprod.ndim != 1 or len(alphas_cumprod) < 2:
            raise ValueError(f"received alphas_cumprod of shape {tuple(alphas_cumprod.shape)}; allowed: (1000,)")
        # In the precision of ᾱ, which WebUI's option `use_downcasted_alpha_bar` halves.
        alphas = alphas_cumprod.detach().to(device="cpu")
        sigmas = ((1 - alphas) / alphas) ** 0.5
        self.alphas_cumprod, self.sigmas = alphas.to(torch.float32), sigmas.to(torch.float32)
        self._log_sigmas = sigmas.log().to(torch.float32)

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def sigma_to_t(self, sigma: Tensor, *, quantize: bool = False) -> Tensor:
        """The fractional timestep of σ, linear in log σ and clamped to the trained range; the nearest if `quantize`."""
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
        """`steps` σ's evenly spaced over this schedule's timesteps, then 0."""
        return torch.cat([self.t_to_sigma(torch.linspace(len(self.sigmas) - 1, 0, steps)), torch.zeros(1)])

    def _nearest(self, log_sigma: Tensor) -> Tensor:
        return (log_sigma[None, :] - self._log_sigmas[:, None]).abs().argmin(dim=0)


class LcmNoiseSchedule(NoiseSchedule):
    """Every 20th training σ: the only ones at which the LCM sampler calls the model."""

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

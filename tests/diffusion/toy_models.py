"""Models small enough to know the right answer of: an analytic denoiser, and a UNet that is one formula."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from inference_container.prompt.conditioning import Conditioning, PromptPart, TextEmbedding, TimedEmbedding

CPU = torch.device("cpu")


def stable_diffusion_alphas() -> Tensor:
    """ᾱ of SD 1.x: scaled-linear betas from 0.00085 to 0.012."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


class GaussianDenoiser:
    """The exact denoiser of data distributed N(mean, 1), as x0 over σ. The flow from x at σ ends at a known place."""

    def __init__(self, mean: float = 0.3) -> None:
        self.mean = mean
        self.levels: list[float] = []

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        self.levels.append(float(level))
        return (x + self.mean * level**2) / (1 + level**2)

    def with_uncond(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        answer = self(x, level)
        return answer, answer

    def solution(self, x: Tensor, start: Tensor, end: float) -> Tensor:
        """Where the probability flow leads from x at `start` to `end`."""
        return self.mean + (x - self.mean) * ((1 + end**2) / (1 + start**2)) ** 0.5


class GaussianNoisePredictor(GaussianDenoiser):
    """The same data, as ε over training timesteps."""

    def __init__(self, alphas_cumprod: Tensor, mean: float = 0.3) -> None:
        super().__init__(mean)
        self._alphas = alphas_cumprod

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        self.levels.append(float(level))
        position = float(level)
        low = min(int(position), 998)
        log_alpha = torch.lerp(self._alphas[low].log(), self._alphas[low + 1].log(), position - low)
        alpha = log_alpha.exp()
        return (1 - alpha).sqrt() * (x - alpha.sqrt() * self.mean)

    def solution_at(self, x: Tensor, start: int, end: int) -> Tensor:
        """Where the flow leads between two timesteps: the marginals are N(sqrt(ᾱ)·mean, 1)."""
        return x + (self._alphas[end].sqrt() - self._alphas[start].sqrt()) * self.mean


@dataclass
class UNetCall:
    sample: Tensor
    timestep: Tensor
    tokens: Tensor
    added: dict[str, Tensor] | None


@dataclass
class FormulaUNet:
    """ε = mean of the text + 0.1·sample, so every branch's answer can be written down."""

    in_channels: int = 4
    nan: bool = False
    calls: list[UNetCall] = field(default_factory=list)

    @property
    def config(self) -> Any:
        return SimpleNamespace(in_channels=self.in_channels, out_channels=4)

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        *,
        encoder_hidden_states: Tensor,
        added_cond_kwargs: dict[str, Tensor] | None,
        return_dict: bool,
    ) -> tuple[Tensor]:
        assert not return_dict
        assert sample.shape[1] == self.in_channels
        self.calls.append(UNetCall(sample, timestep, encoder_hidden_states, added_cond_kwargs))
        text = encoder_hidden_states.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        picture = sample[:, 4:].mean(dim=(1, 2, 3)).reshape(-1, 1, 1, 1) if sample.shape[1] > 4 else 0.0
        answer = text + 0.1 * sample[:, :4] + picture
        return (answer * torch.nan if self.nan else answer,)


@dataclass
class ToyModel:
    unet: Any
    prediction_type: str = "epsilon"
    alphas_cumprod: Tensor = field(default_factory=stable_diffusion_alphas)
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32


def text(value: float, *, tokens: int = 77) -> TextEmbedding:
    return TextEmbedding(torch.full((tokens, 2), value))


def prompt(*values: float, weights: tuple[float, ...] | None = None, tokens: int = 77) -> Conditioning:
    """A prompt of parts whose texts are constants."""
    parts = zip(values, weights or (1.0,) * len(values), strict=True)
    return Conditioning(
        tuple(PromptPart(weight, (TimedEmbedding(1000, text(value, tokens=tokens)),)) for value, weight in parts)
    )

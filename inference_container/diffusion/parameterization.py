"""Translates between samplers and the UNet's inputs and outputs: for σ, LCM and timesteps (semantics §2.9)."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from torch import Tensor

from inference_container.diffusion.noise_schedule import LcmNoiseSchedule, NoiseSchedule

LCM_SIGMA_DATA = 0.5
LCM_TIMESTEP_SCALE = 10.0


class Parameterization(Protocol):
    """Converts between the sampler's latents and the UNet's, all float32; `level` is a 0-dim float32 CPU tensor."""

    @property
    def blends_before_call(self) -> bool:
        """Whether a latent mask is applied to x before the call and not to the prediction (semantics §2.10)."""
        ...

    def unet_input(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled x and the (fractional) timestep."""
        ...

    def prediction(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        """Convert the UNet's output to what the sampler expects: x0, or ε for timestep samplers."""
        ...


def _clean_from_epsilon(x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
    return x - output * sigma


def _clean_from_v(x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
    return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5


_CLEAN = MappingProxyType({"epsilon": _clean_from_epsilon, "v_prediction": _clean_from_v})
PREDICTION_TYPES: tuple[str, ...] = tuple(_CLEAN)


def check_prediction_type(prediction_type: str) -> None:
    """Refuse unknown prediction types.

    Raises:
        ValueError: it is neither `epsilon` nor `v_prediction`.
    """
    if prediction_type not in PREDICTION_TYPES:
        raise ValueError(f"received prediction_type {prediction_type!r}; allowed: {', '.join(PREDICTION_TYPES)}")


@dataclass(frozen=True)
class SigmaParameterization:
    """For samplers over σ: x = x0 + σ·noise."""

    schedule: NoiseSchedule
    prediction_type: str
    quantize: bool = False
    """Option `enable_quantization`: use the nearest training timestep instead of a fractional one."""
    blends_before_call: bool = False

    def unet_input(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return x / (level**2 + 1) ** 0.5, self.schedule.sigma_to_t(level, quantize=self.quantize)

    def prediction(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        return _CLEAN[self.prediction_type](x, output, level)


@dataclass(frozen=True)
class LcmParameterization:
    """For latent consistency models over σ, whose boundary condition mixes the clean latent with x."""

    schedule: LcmNoiseSchedule
    prediction_type: str
    blends_before_call: bool = False

    def unet_input(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return x / (level**2 + 1) ** 0.5, self.schedule.sigma_to_t(level)

    def prediction(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        clean = _CLEAN[self.prediction_type](x, output, level)
        scaled = self.schedule.sigma_to_t(level) * LCM_TIMESTEP_SCALE
        power = scaled**2 + LCM_SIGMA_DATA**2
        return clean * scaled / power**0.5 + x * LCM_SIGMA_DATA**2 / power


@dataclass(frozen=True)
class TimestepParameterization:
    """For samplers over training timesteps: x = sqrt(ᾱ)·x0 + sqrt(1-ᾱ)·noise."""

    schedule: NoiseSchedule
    prediction_type: str
    blends_before_call: bool = True

    def unet_input(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return x, level

    def prediction(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        if self.prediction_type == "epsilon":
            return output
        alpha = self.schedule.alphas_cumprod[int(level)]
        return alpha.sqrt() * output + (1 - alpha).sqrt() * x

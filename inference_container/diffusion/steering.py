"""What two preprocessors of ControlNet do to the UNet's noise: keep a picture's colours, or keep what is not masked.

Both look at the clean latents that the noise means, change them, and turn them into noise again. As in the extension,
they act in every call, whatever the unit's window is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Steering(Protocol):
    """One unit's wish."""

    @property
    def weight(self) -> float:
        """Its part of the noise, 0..1."""
        ...

    def changed(self, clean: Tensor, prompted: Tensor) -> Tensor:
        """The clean latents (n, 4, h, w) that it wants; `prompted`, (n, 1, 1, 1), is 1 where a prompt is read."""
        ...


@dataclass(frozen=True)
class ColorFix:
    """`tile_colorfix`: what is blurred comes from the picture."""

    origin: Tensor
    """The picture's latents, (1, 4, h, w)."""
    radius: int
    """Of the blur, in latent cells."""
    weight: float
    sharpness: float | None = None
    """For `tile_colorfix+sharp`: how much more the negative prompt is blurred, in hundredths."""

    def changed(self, clean: Tensor, prompted: Tensor) -> Tensor:
        kept = clean - _blurred(clean, self.radius) + _blurred(self.origin.to(clean), self.radius)
        if self.sharpness is None:
            return kept
        part = self.sharpness * 0.01
        softer = part * _blurred(kept, self.radius) + (1 - part) * kept
        return prompted * kept + (1 - prompted) * softer


@dataclass(frozen=True)
class Restore:
    """`inpaint_only`: what is not masked stays the picture's."""

    origin: Tensor
    """The picture's latents, (1, 4, h, w)."""
    mask: Tensor
    """(1, 1, 8h, 8w), 1 where the picture is drawn anew."""
    weight: float

    def changed(self, clean: Tensor, prompted: Tensor) -> Tensor:  # noqa: ARG002 - both prompts alike
        anew = torch.nn.functional.max_pool2d(self.mask.to(clean), (10, 10), stride=(8, 8), padding=1)
        return clean * anew + self.origin.to(clean) * (1 - anew)


def steered(
    noise: Tensor, x: Tensor, *, alpha: Tensor, prompted: Sequence[bool], steerings: Sequence[Steering]
) -> Tensor:
    """The noise (n, 4, h, w) that a UNet predicts for its input `x`, changed by each of `steerings` in turn.

    `alpha` is ᾱ at the call's timestep. All colour fixes come before what is restored.
    """
    read = torch.tensor(prompted, dtype=noise.dtype, device=noise.device)[:, None, None, None]
    recip, recipm1 = (1 / alpha).sqrt().to(noise), (1 / alpha - 1).sqrt().to(noise)
    for steering in sorted(steerings, key=lambda one: isinstance(one, Restore)):
        changed = steering.changed(recip * x - recipm1 * noise, read)
        part = max(0.0, min(1.0, steering.weight))
        noise = (recip * x - changed) / recipm1 * part + noise * (1 - part)
    return noise


def _blurred(latents: Tensor, radius: int) -> Tensor:
    padded = torch.nn.functional.pad(latents, (radius,) * 4, mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 2 * radius + 1, stride=1)

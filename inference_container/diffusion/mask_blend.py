"""Applies the latent mask, which keeps parts of the init picture in every model call (semantics §2.10)."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class MaskBlend(Protocol):
    """Blends latents (B,4,h,w) with the init picture under a latent mask."""

    def at(self, painted: Tensor, level: Tensor) -> Tensor:
        """Blend `painted` with the kept parts of the picture in one model call."""
        ...

    def finish(self, painted: Tensor) -> Tensor:
        """Blend the finished latents."""
        ...


@dataclass(frozen=True)
class LatentBlend:
    """A `MaskBlend` that keeps the init latent outside the repainted cells."""

    init_latent: Tensor
    """(B or 1, 4, h, w), without noise."""
    repaint: Tensor
    """1 where the model paints, 0 where `init_latent` is kept; broadcastable to `init_latent`."""

    def at(self, painted: Tensor, level: Tensor) -> Tensor:  # noqa: ARG002 - the same at every level
        return self.finish(painted)

    def finish(self, painted: Tensor) -> Tensor:
        return painted * self.repaint + self.init_latent * (1 - self.repaint)

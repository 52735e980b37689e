"""What stays of the init picture at every model call: the latent mask at work (semantics §2.10)."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class MaskBlend(Protocol):
    """A latent mask at work; latents are (B,4,h,w)."""

    def at(self, painted: Tensor, level: Tensor) -> Tensor:
        """`painted` with what stays of the picture, at one model call."""
        ...

    def finish(self, painted: Tensor) -> Tensor:
        """The same for the finished latents."""
        ...


@dataclass(frozen=True)
class LatentBlend:
    """What of the picture stays: a `MaskBlend`."""

    init_latent: Tensor
    """(B or 1, 4, h, w), without noise."""
    repaint: Tensor
    """1 where the model paints, 0 where init_latent stays; broadcastable to init_latent."""

    def at(self, painted: Tensor, level: Tensor) -> Tensor:  # noqa: ARG002 - the same at every level
        return self.finish(painted)

    def finish(self, painted: Tensor) -> Tensor:
        return painted * self.repaint + self.init_latent * (1 - self.repaint)

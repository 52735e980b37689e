"""A checkpoint's text encoders, and the layers that its UNet was trained on (semantics §4.4)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TextKind(StrEnum):
    """Text encoders; the values are their names in textual inversion files."""

    CLIP_L = "clip_l"
    """OpenAI's encoder in Stable Diffusion 1.x and XL."""
    CLIP_H = "clip_h"
    """OpenCLIP's encoder in Stable Diffusion 2.x."""
    CLIP_G = "clip_g"
    """OpenCLIP's bigG in Stable Diffusion XL and its refiner."""


@dataclass(frozen=True)
class Reading:
    """Which output of a text encoder the UNet attends to."""

    layer: int = 1
    """Counted from the end: 1 is the last layer."""
    normed: bool = True
    """Whether the output passes through the final LayerNorm."""
    follows_clip_skip: bool = False
    """Whether WebUI's option `CLIP_stop_at_last_layers` chooses the layer."""
    follows_when_asked: bool = False
    """Whether the same option chooses the layer if `sdxl_clip_l_skip` is on."""
    pooled: bool = False
    """Whether the last layer's projected end token also conditions the UNet."""

    def layer_for(self, clip_skip: int, *, sdxl_clip_l_skip: bool) -> int:
        """The layer for these options, counted from the end."""
        follows = self.follows_clip_skip or (self.follows_when_asked and sdxl_clip_l_skip)
        return clip_skip if follows else self.layer


SD1_READING = Reading(follows_clip_skip=True)


@dataclass(frozen=True)
class TextModel:
    """One text encoder; all encoders of a checkpoint share one vocabulary."""

    encoder: Any
    """transformers CLIPTextModel, or CLIPTextModelWithProjection if `reading` is pooled."""
    pad_token: int
    """The token that follows the first end token of a chunk."""
    kind: TextKind = TextKind.CLIP_L
    reading: Reading = SD1_READING

"""A checkpoint's text encoders, and which of their layers its UNet was trained on (semantics §4.4)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TextKind(StrEnum):
    """Values are what files of textual inversion call the vectors of that encoder."""

    CLIP_L = "clip_l"
    """OpenAI's, in Stable Diffusion 1.x and XL."""
    CLIP_H = "clip_h"
    """OpenCLIP's, in Stable Diffusion 2.x."""
    CLIP_G = "clip_g"
    """OpenCLIP's bigG, in Stable Diffusion XL and its refiner."""


@dataclass(frozen=True)
class Reading:
    """What of a text encoder's layers the UNet attends to."""

    layer: int = 1
    """From the end: 1 is the last."""
    normed: bool = True
    """Through the final LayerNorm."""
    follows_clip_skip: bool = False
    """WebUI's option `CLIP_stop_at_last_layers` is the layer."""
    follows_when_asked: bool = False
    """… when `sdxl_clip_l_skip` is on."""
    pooled: bool = False
    """The projected end token of the last layer conditions the UNet too."""

    def layer_for(self, clip_skip: int, *, sdxl_clip_l_skip: bool) -> int:
        """The layer from the end under these options."""
        follows = self.follows_clip_skip or (self.follows_when_asked and sdxl_clip_l_skip)
        return clip_skip if follows else self.layer


SD1_READING = Reading(follows_clip_skip=True)


@dataclass(frozen=True)
class TextModel:
    """One text encoder; all of a checkpoint share one vocabulary."""

    encoder: Any
    """transformers CLIPTextModel; CLIPTextModelWithProjection where `reading` is pooled."""
    pad_token: int
    """What follows the first end token of a chunk."""
    kind: TextKind = TextKind.CLIP_L
    reading: Reading = SD1_READING

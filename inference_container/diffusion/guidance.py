"""The prompts of a batch and their guidance scales (semantics §2.9, §2.11)."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from inference_container.prompt.conditioning import Conditioning


@dataclass(frozen=True)
class Guidance:
    """The prompts of a batch and their guidance scales."""

    cond: tuple[Conditioning, ...]
    """One per image."""
    uncond: tuple[Conditioning, ...]
    """One per image, each with one part."""
    cfg_scale: float = 7.0
    image_cfg_scale: float | None = None
    """For InstructPix2Pix only; None or 1: plain CFG with the picture in both branches."""
    s_min_uncond: float = 0.0
    """Below this σ, every second call leaves out the negative prompt; 0: never."""
    s_min_uncond_all: bool = False
    """Every call below `s_min_uncond` leaves out the negative prompt."""
    skip_early_cond: float = 0.0
    """This fraction of the calls, from the first on, leaves out the negative prompt."""
    empty_chunk: Tensor | None = None
    """The encoded empty prompt (77, dim), for option `pad_cond_uncond`; None: prompts of unequal length run apart."""
    pad_v0: bool = False
    """Option `pad_cond_uncond_v0`, which beats the other: the negative prompt is lengthened by its last token's vector,
    or cut, to the prompt's length."""
    time_ids: Tensor | None = None
    """For SDXL, shape (6,): original size, crop and target size. For the refiner, shape (5,): the aesthetic score in
    place of the target size. Required if the embeddings are pooled."""
    uncond_time_ids: Tensor | None = None
    """Time ids for the negative prompts; None: the same."""

    @property
    def padding(self) -> Literal["Pad conds", "Pad conds v0"] | None:
        """How prompts and negative prompts of unequal length are made equal, as infotexts call it."""
        cond, uncond = (_longest(prompts) for prompts in (self.cond, self.uncond))
        if cond == uncond:
            return None
        if self.pad_v0:
            return "Pad conds v0"
        return None if self.empty_chunk is None else "Pad conds"


def _longest(prompts: tuple[Conditioning, ...]) -> int:
    parts = [part for prompt in prompts for part in prompt.parts]
    return max((len(timed.embedding.tokens) for part in parts for timed in part.timeline), default=0)

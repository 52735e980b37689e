"""The prompts of a batch and their guidance scales (semantics §2.9, §2.11)."""

from dataclasses import dataclass

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
    time_ids: Tensor | None = None
    """For SDXL, shape (6,): original size, crop and target size. For the refiner, shape (5,): the aesthetic score in
    place of the target size. Required if the embeddings are pooled."""
    uncond_time_ids: Tensor | None = None
    """Time ids for the negative prompts; None: the same."""

    @property
    def pads_prompts(self) -> bool:
        """Whether prompts and negative prompts differ in length and are padded with `empty_chunk`."""
        cond, uncond = (_longest(prompts) for prompts in (self.cond, self.uncond))
        return self.empty_chunk is not None and cond != uncond


def _longest(prompts: tuple[Conditioning, ...]) -> int:
    parts = [part for prompt in prompts for part in prompt.parts]
    return max((len(timed.embedding.tokens) for part in parts for timed in part.timeline), default=0)

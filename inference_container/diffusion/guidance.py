"""The prompts of a batch and how strongly they pull (semantics §2.9, §2.11)."""

from dataclasses import dataclass

from torch import Tensor

from inference_container.prompt.conditioning import Conditioning


@dataclass(frozen=True)
class Guidance:
    """Prompts of a batch and how strongly they pull."""

    cond: tuple[Conditioning, ...]
    """One per image."""
    uncond: tuple[Conditioning, ...]
    """One per image, each of one part."""
    cfg_scale: float = 7.0
    image_cfg_scale: float | None = None
    """InstructPix2Pix only; None or 1: plain CFG with the picture in both branches."""
    s_min_uncond: float = 0.0
    """Below this σ the negative prompt is left out on every second call; 0: never."""
    s_min_uncond_all: bool = False
    """… on every call."""
    skip_early_cond: float = 0.0
    """The negative prompt is left out for this fraction of the first calls."""
    empty_chunk: Tensor | None = None
    """The encoded empty prompt (77, dim): option `pad_cond_uncond`. None: prompts of unequal length run apart."""
    time_ids: Tensor | None = None
    """SDXL: original size, crop and target size, shape (6,); the refiner: the aesthetic score in place of the target
    size, shape (5,). Needed when the embeddings are pooled."""
    uncond_time_ids: Tensor | None = None
    """Those of the negative prompts; None: the same."""

    @property
    def pads_prompts(self) -> bool:
        """Prompts and negative prompts differ in length, and `empty_chunk` makes them equal."""
        cond, uncond = (_longest(prompts) for prompts in (self.cond, self.uncond))
        return self.empty_chunk is not None and cond != uncond


def _longest(prompts: tuple[Conditioning, ...]) -> int:
    parts = [part for prompt in prompts for part in prompt.parts]
    return max((len(timed.embedding.tokens) for part in parts for timed in part.timeline), default=0)

"""A prompt's form for the denoiser: text embeddings that may change during sampling."""

from dataclasses import dataclass

from torch import Tensor, zeros_like


@dataclass(frozen=True)
class TextEmbedding:
    """One encoded text."""

    tokens: Tensor
    """Shape (77·chunks, dim)."""
    pooled: Tensor | None = None
    """Shape (dim,); SDXL only."""

    def silenced(self) -> "TextEmbedding":
        """A copy with all values 0."""
        return TextEmbedding(zeros_like(self.tokens), None if self.pooled is None else zeros_like(self.pooled))


@dataclass(frozen=True)
class TimedEmbedding:
    until: int
    """The last step at which it is active (semantics §2.8)."""
    embedding: TextEmbedding


@dataclass(frozen=True)
class PromptPart:
    """One AND-part of a prompt."""

    weight: float
    timeline: tuple[TimedEmbedding, ...]
    """In ascending order of `until`; the last one stays active."""

    def at(self, counter: int) -> TextEmbedding:
        """The active embedding after this number of model calls."""
        for timed in self.timeline:
            if counter <= timed.until:
                return timed.embedding
        return self.timeline[-1].embedding


@dataclass(frozen=True)
class Conditioning:
    """One image's prompt as the sum of its parts; a negative prompt has exactly one part."""

    parts: tuple[PromptPart, ...]

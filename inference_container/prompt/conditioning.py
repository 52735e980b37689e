"""What a prompt becomes for the denoiser: text embeddings that may change while sampling runs."""

from dataclasses import dataclass

from torch import Tensor, zeros_like


@dataclass(frozen=True)
class TextEmbedding:
    """One encoded text."""

    tokens: Tensor
    """Shape (77·chunks, dim)."""
    pooled: Tensor | None = None
    """Shape (dim,), SDXL only."""

    def silenced(self) -> "TextEmbedding":
        """All zero."""
        return TextEmbedding(zeros_like(self.tokens), None if self.pooled is None else zeros_like(self.pooled))


@dataclass(frozen=True)
class TimedEmbedding:
    until: int
    """Active while the step counter is at most this (semantics §2.8)."""
    embedding: TextEmbedding


@dataclass(frozen=True)
class PromptPart:
    """One AND-part of a prompt."""

    weight: float
    timeline: tuple[TimedEmbedding, ...]
    """In ascending order of `until`; the last one stays active for ever."""

    def at(self, counter: int) -> TextEmbedding:
        """The embedding in force at this count of model calls (from 0)."""
        for timed in self.timeline:
            if counter <= timed.until:
                return timed.embedding
        return self.timeline[-1].embedding


@dataclass(frozen=True)
class Conditioning:
    """One image's prompt: the sum of its parts. A negative prompt has exactly one part."""

    parts: tuple[PromptPart, ...]

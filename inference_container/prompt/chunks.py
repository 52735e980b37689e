"""Splits tokens into CLIP's chunks of 75, with a weight per token and places for embeddings (semantics §4.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference_container.prompt.inversions import InversionMatcher

CHUNK_LENGTH = 75
"""Text tokens in a chunk, between a start and an end token."""


@dataclass(frozen=True)
class SpecialTokens:
    start: int
    end: int
    comma: int | None
    """The token of a comma at the end of a word; None if the vocabulary has no such token."""


@dataclass(frozen=True)
class TokenisedText:
    tokens: Sequence[int]
    weight: float
    is_break: bool = False
    """Whether the chunk ends here; `tokens` are then ignored."""


@dataclass(frozen=True)
class Insertion:
    """An embedding's vectors replace the tokens offset … offset + length - 1 of the whole chunk."""

    offset: int
    name: str


@dataclass(frozen=True)
class Chunk:
    tokens: tuple[int, ...]
    """CHUNK_LENGTH + 2 token ids; 0 where vectors are inserted."""
    weights: tuple[float, ...]
    insertions: tuple[Insertion, ...] = ()


def split_into_chunks(
    texts: Iterable[TokenisedText],
    *,
    special: SpecialTokens,
    comma_backtrack: int = 20,
    inversions: InversionMatcher | None = None,
) -> tuple[Chunk, ...]:
    """Split into at least one chunk; a BREAK at the end adds no empty chunk.

    If a full chunk has a comma among its last `comma_backtrack` tokens (0: never), the tokens after the comma move to
    the next chunk. An embedding that does not fit completely starts the next chunk.
    """
    writer = _ChunkWriter(special, comma_backtrack)
    for text in texts:
        if text.is_break:
            writer.end_chunk()
            continue
        position = 0
        while position < len(text.tokens):
            token = text.tokens[position]
            writer.make_room(token)
            inversion = inversions.match(text.tokens, position) if inversions is not None else None
            if inversion is None:
                writer.add(token, text.weight)
                position += 1
            else:
                writer.insert(inversion.name, inversion.length, text.weight)
                position += len(inversion.token_ids)
    return writer.finish()


def empty_chunk(special: SpecialTokens) -> Chunk:
    """The chunk of an empty prompt; it also pads prompts that have fewer chunks than others of their stack."""
    return _ChunkWriter(special, 0).finish()[0]


class _ChunkWriter:
    def __init__(self, special: SpecialTokens, comma_backtrack: int) -> None:
        self._special = special
        self._comma_backtrack = comma_backtrack
        self._chunks: list[Chunk] = []
        self._tokens: list[int] = []
        self._weights: list[float] = []
        self._insertions: list[Insertion] = []
        self._after_comma: int | None = None

    def make_room(self, token: int) -> None:
        """End the chunk if it is full; called before each token, so that words move together with their comma."""
        length = len(self._tokens)
        if token == self._special.comma:
            # A comma that would open the next chunk is not a place to go back to in this one. WebUI still records
            # its position; `end_chunk` resets it.
            self._after_comma = length + 1
        elif length == CHUNK_LENGTH and self._comma_is_near():
            self._move_after_comma()
        if len(self._tokens) == CHUNK_LENGTH:
            self.end_chunk()

    def _comma_is_near(self) -> bool:
        return self._after_comma is not None and CHUNK_LENGTH - (self._after_comma - 1) <= self._comma_backtrack

    def _move_after_comma(self) -> None:
        cut = self._after_comma or 0
        tokens, weights = self._tokens[cut:], self._weights[cut:]
        moved = [Insertion(place.offset - cut, place.name) for place in self._insertions if place.offset > cut]
        self._insertions = [place for place in self._insertions if place.offset <= cut]
        del self._tokens[cut:], self._weights[cut:]
        self.end_chunk()
        self._tokens, self._weights, self._insertions = tokens, weights, moved

    def add(self, token: int, weight: float) -> None:
        self._tokens.append(token)
        self._weights.append(weight)

    def insert(self, name: str, length: int, weight: float) -> None:
        if len(self._tokens) + length > CHUNK_LENGTH:
            self.end_chunk()
        self._insertions.append(Insertion(len(self._tokens) + 1, name))
        self._tokens += [0] * length
        self._weights += [weight] * length

    def end_chunk(self) -> None:
        padding = CHUNK_LENGTH - len(self._tokens)
        start, end = self._special.start, self._special.end
        self._chunks.append(
            Chunk(
                tokens=(start, *self._tokens, *[end] * padding, end),
                weights=(1.0, *self._weights, *[1.0] * padding, 1.0),
                insertions=tuple(self._insertions),
            )
        )
        self._tokens, self._weights, self._insertions, self._after_comma = [], [], [], None

    def finish(self) -> tuple[Chunk, ...]:
        if self._tokens or not self._chunks:
            self.end_chunk()
        return tuple(self._chunks)

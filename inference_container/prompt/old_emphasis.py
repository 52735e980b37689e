"""Emphasis as WebUI had it before 2022-10: every bracket token multiplies all that follows; one chunk, cut at 75."""

from collections.abc import Mapping, Sequence

from inference_container.prompt.chunks import CHUNK_LENGTH, Chunk, Insertion, SpecialTokens
from inference_container.prompt.inversions import InversionMatcher

STEP = 1.1


def bracket_factors(vocabulary: Mapping[str, int]) -> Mapping[int, float]:
    """By token, what it multiplies weights by; tokens whose brackets cancel out are ordinary text."""
    factors = {token: _factor(text) for text, token in vocabulary.items() if any(mark in text for mark in "()[]")}
    return {token: factor for token, factor in factors.items() if factor != 1.0}


def _factor(text: str) -> float:
    factor = 1.0
    for character in text:
        if character in "(]":
            factor *= STEP
        elif character in ")[":
            factor /= STEP
    return factor


def old_chunk(
    tokens: Sequence[int], *, factors: Mapping[int, float], special: SpecialTokens, inversions: InversionMatcher
) -> Chunk:
    """The one chunk of a text. Tokens with a factor are taken out whole, whatever else they hold, such as a comma."""
    kept: list[int] = []
    weights: list[float] = []
    insertions: list[Insertion] = []
    weight, position = 1.0, 0
    while position < len(tokens):
        token = tokens[position]
        inversion = None if token in factors else inversions.match(tokens, position)
        if token in factors:
            weight *= factors[token]
            position += 1
        elif inversion is None:
            kept.append(token)
            weights.append(weight)
            position += 1
        else:
            insertions.append(Insertion(len(kept) + 1, inversion.name))
            kept += [0] * inversion.length
            weights += [weight] * inversion.length
            position += len(inversion.token_ids)
    padding = CHUNK_LENGTH - len(kept)
    return Chunk(
        tokens=(special.start, *kept[:CHUNK_LENGTH], *[special.end] * padding, special.end),
        weights=(1.0, *weights[:CHUNK_LENGTH], *[1.0] * padding, 1.0),
        insertions=tuple(place for place in insertions if place.offset <= CHUNK_LENGTH),
    )

"""Finds names of textual inversions among the tokens of a prompt (semantics §4.7)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class InversionName:
    name: str
    token_ids: tuple[int, ...]
    """The name's tokens; the tokenizer ignores case, and so does matching."""
    length: int
    """The number of its vectors."""


class InversionMatcher:
    """Finds the longest name at a position; of several names with equal tokens, the first one given wins."""

    def __init__(self, names: Iterable[InversionName]) -> None:
        self._by_first_token: dict[int, list[InversionName]] = defaultdict(list)
        for name in names:
            self._by_first_token[name.token_ids[0]].append(name)
        for candidates in self._by_first_token.values():
            candidates.sort(key=lambda name: -len(name.token_ids))

    def match(self, tokens: Sequence[int], position: int) -> InversionName | None:
        """The longest name whose tokens start at `position`, or None."""
        for name in self._by_first_token.get(tokens[position], ()):
            if tuple(tokens[position : position + len(name.token_ids)]) == name.token_ids:
                return name
        return None

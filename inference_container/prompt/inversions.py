"""Names of textual inversions found among the tokens of a prompt (semantics §4.7)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class InversionName:
    name: str
    token_ids: tuple[int, ...]
    """What the tokenizer makes of the name, hence matching knows no upper or lower case."""
    length: int
    """Vectors it stands for."""


class InversionMatcher:
    """Finds the longest name at a place; of two names with the same tokens the first given wins."""

    def __init__(self, names: Iterable[InversionName]) -> None:
        self._by_first_token: dict[int, list[InversionName]] = defaultdict(list)
        for name in names:
            self._by_first_token[name.token_ids[0]].append(name)
        for candidates in self._by_first_token.values():
            candidates.sort(key=lambda name: -len(name.token_ids))

    def match(self, tokens: Sequence[int], position: int) -> InversionName | None:
        """The name whose tokens start at `position`, None when there is none."""
        for name in self._by_first_token.get(tokens[position], ()):
            if tuple(tokens[position : position + len(name.token_ids)]) == name.token_ids:
                return name
        return None

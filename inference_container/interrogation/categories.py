"""Lists of phrases that CLIP compares a picture with, one category a list (semantics §6.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "lists"
"""Our own, for models that bring none."""
_TOP = re.compile(r"\.top(\d+)$")


@dataclass(frozen=True)
class Category:
    name: str
    """File name without `.txt`."""
    phrases: tuple[str, ...]
    top: int
    """How many phrases of it are told: 1, or what a name like `flavors.top3` says."""

    def looked_at(self, limit: int) -> tuple[str, ...]:
        """The first phrases, as many as `interrogate_clip_dict_limit` says; 0 is all."""
        return self.phrases[:limit] if limit else self.phrases


def read_category(name: str, text: str) -> Category:
    """A category from the lines of its list, blanks around them removed."""
    top = _TOP.search(name)
    return Category(name, tuple(line.strip() for line in text.splitlines()), int(top[1]) if top else 1)


def shipped_categories() -> tuple[Category, ...]:
    """Those of this package, by name."""
    return tuple(read_category(file.stem, file.read_text(encoding="utf-8")) for file in sorted(LISTS.glob("*.txt")))


def write_matches(caption: str, matches: Sequence[tuple[str, float]], *, ranks: bool) -> str:
    """The caption and what fits best of each category, as WebUI joins them."""
    told = [f"({phrase}:{score:.3f})" if ranks else phrase for phrase, score in matches]
    return ", ".join([caption, *told])

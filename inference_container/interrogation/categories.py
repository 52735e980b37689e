"""Lists of phrases that CLIP compares a picture with, one list for each category (semantics §6.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "lists"
"""Our own lists, for models without lists."""
_TOP = re.compile(r"\.top(\d+)$")


@dataclass(frozen=True)
class Category:
    name: str
    """The file name without `.txt`."""
    phrases: tuple[str, ...]
    top: int
    """How many of its phrases are returned: 1, or the number in a name such as `flavors.top3`."""

    def looked_at(self, limit: int) -> tuple[str, ...]:
        """The first `limit` phrases (`interrogate_clip_dict_limit`); 0 means all."""
        return self.phrases[:limit] if limit else self.phrases


def read_category(name: str, text: str) -> Category:
    """Build a category from the lines of its list, without surrounding blanks."""
    top = _TOP.search(name)
    return Category(name, tuple(line.strip() for line in text.splitlines()), int(top[1]) if top else 1)


def shipped_categories() -> tuple[Category, ...]:
    """The categories in this package, sorted by name."""
    return tuple(read_category(file.stem, file.read_text(encoding="utf-8")) for file in sorted(LISTS.glob("*.txt")))


def write_matches(caption: str, matches: Sequence[tuple[str, float]], *, ranks: bool) -> str:
    """Join the caption and the best matches of each category, as WebUI does."""
    told = [f"({phrase}:{score:.3f})" if ranks else phrase for phrase, score in matches]
    return ", ".join([caption, *told])

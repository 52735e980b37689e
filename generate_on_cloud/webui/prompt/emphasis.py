"""Weights in prompts: of pieces of a text, by emphasis (semantics §4.3), and of whole texts, by AND (§4.6).

Emphasis is brackets and `(text:weight)`; `AND` makes a prompt a weighted sum of several.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter

from generate_on_cloud.contract.limits import MAX_WEIGHT
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError

ROUND = 1.1
SQUARE = 1 / 1.1
MAX_DEPTH = 100
"""Open brackets at once; 100 levels already weigh 13780."""
_ALLOWED = f"allowed: from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}"
BREAK = "BREAK"
_BREAK_WEIGHT = -1.0
_AND = re.compile(r"\bAND\b")
_WEIGHT_AT_END = re.compile(r":\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*\Z")


class EmphasisMode(StrEnum):
    """WebUI's option `emphasis`."""

    ORIGINAL = "Original"
    """Weights multiply the encoded tokens, then the mean of the chunk is restored."""
    NO_NORM = "No norm"
    """Weights multiply the encoded tokens."""
    IGNORE = "Ignore"
    """The syntax is parsed, but the weights are dropped."""
    NONE = "None"
    """Nothing is parsed: brackets and BREAK are text."""


@dataclass(frozen=True)
class WeightedText:
    text: str
    weight: float

    @property
    def is_break(self) -> bool:
        """Whether this ends a chunk; a BREAK whose weight brackets changed is an ordinary word (semantics §4.4)."""
        return self.text == BREAK and self.weight == _BREAK_WEIGHT


_PIECE = re.compile(
    r"""
    \\ (?P<escaped> [()\[\]\\] ) |
    (?P<backslash> \\ ) |
    (?P<open> [(\[] ) |
    : \s* (?P<weight> [+-]? [.\d]+ ) \s* \) |
    (?P<close> [)\]] ) |
    (?P<text> [^\\()\[\]:]+ ) |
    :
    """,
    re.VERBOSE,
)
_BREAK_WORD = re.compile(rf"\b{BREAK}\b")


def parse_emphasis(text: str) -> tuple[WeightedText, ...]:
    """The pieces of `text` in order, with neighbours of equal weight merged; at least one piece, possibly empty.

    Raises:
        PromptSyntaxError: a weight is not a number, such as `(a:1.2.3)`, or exceeds MAX_WEIGHT, or more than MAX_DEPTH
            brackets are open at once.
    """
    pieces = _Pieces()
    for match in _PIECE.finditer(text):
        whole = match.group(0)
        if match["escaped"] is not None:
            pieces.add(match["escaped"])
        elif match["backslash"] is not None:
            continue  # WebUI drops a backslash that escapes nothing
        elif match["open"] is not None:
            pieces.open(whole)
        elif match["weight"] is not None and pieces.is_open("("):
            pieces.close("(", _read_weight(match["weight"], whole))
        elif match["close"] == ")" and pieces.is_open("("):
            pieces.close("(", ROUND)
        elif match["close"] == "]" and pieces.is_open("["):
            pieces.close("[", SQUARE)
        else:
            pieces.add_words(whole)
    return pieces.finish()


def _read_weight(number: str, whole: str) -> float:
    try:
        return float(number)
    except ValueError as error:
        raise PromptSyntaxError(f"received the weight {number[:40]!r} in {whole[:60]!r}; allowed: a number") from error


class _Pieces:
    """The pieces parsed so far, and where each open bracket began.

    As in WebUI, a closing bracket matches the last open bracket of its own shape, so `(a [b) c]` gives two overlapping
    ranges.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._weights: list[float] = []
        self._opened: dict[str, list[int]] = {"(": [], "[": []}

    def add(self, text: str, weight: float = 1.0) -> None:
        self._texts.append(text)
        self._weights.append(weight)

    def add_words(self, text: str) -> None:
        first, *others = _BREAK_WORD.split(text)
        for words in others:
            self.add(first.rstrip())
            self.add(BREAK, _BREAK_WEIGHT)
            first = words.lstrip()
        self.add(first)

    def is_open(self, bracket: str) -> bool:
        return bool(self._opened[bracket])

    def open(self, bracket: str) -> None:
        if sum(map(len, self._opened.values())) >= MAX_DEPTH:
            raise PromptSyntaxError(f"received more than {MAX_DEPTH} open brackets; allowed: {MAX_DEPTH}")
        self._opened[bracket].append(len(self._texts))

    def close(self, bracket: str, multiplier: float) -> None:
        for index in range(self._opened[bracket].pop(), len(self._texts)):
            self._weights[index] *= multiplier

    def finish(self) -> tuple[WeightedText, ...]:
        for bracket, multiplier in (("(", ROUND), ("[", SQUARE)):
            while self.is_open(bracket):
                self.close(bracket, multiplier)
        pieces = zip(self._weights, self._texts, strict=True)
        merged = tuple(
            WeightedText("".join(text for _, text in group), weight) for weight, group in groupby(pieces, itemgetter(0))
        )
        for piece in merged:
            if abs(piece.weight) > MAX_WEIGHT:
                raise PromptSyntaxError(f"the weights on {piece.text[:40]!r} multiply to {piece.weight:g}; {_ALLOWED}")
        return merged or (WeightedText("", 1.0),)


@dataclass(frozen=True)
class PartText:
    text: str
    weight: float


def split_composition(prompt: str) -> tuple[PartText, ...]:
    """Split at `AND` into parts with their trailing `:weight`, which defaults to 1; a single part may have one too.

    Raises:
        PromptSyntaxError: a weight is too large for a float.
    """
    return tuple(_read_part(part) for part in _AND.split(prompt))


def _read_part(part: str) -> PartText:
    match = _WEIGHT_AT_END.search(part)
    if match is None:
        return PartText(part.rstrip(), 1.0)
    weight = float(match.group(1))
    if abs(weight) > MAX_WEIGHT:
        raise PromptSyntaxError(f"received the weight {match.group(1)[:40]} after AND; {_ALLOWED}")
    return PartText(part[: match.start()].rstrip(), weight)

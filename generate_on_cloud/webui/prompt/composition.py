"""AND: a prompt as a weighted sum of several (semantics §4.6)."""

import re
from dataclasses import dataclass

from generate_on_cloud.contract.limits import MAX_WEIGHT
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError

_AND = re.compile(r"\bAND\b")
_WEIGHT_AT_END = re.compile(r":\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*\Z")


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
        allowed = f"allowed: from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}"
        raise PromptSyntaxError(f"received the weight {match.group(1)[:40]} after AND; {allowed}")
    return PartText(part[: match.start()].rstrip(), weight)

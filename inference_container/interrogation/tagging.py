"""Formats a tagger's probabilities as the line of tags that WebUI writes (semantics §6.2)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from generate_on_cloud.contract.interrogation import InterrogateOptions

_SPECIAL = re.compile(r"([\\()])")


@dataclass(frozen=True)
class Tag:
    """One word of a tagger's vocabulary."""

    name: str
    threshold: float
    """The minimum probability to be returned, unless the request sets another one."""
    rating: bool = False
    """Whether it rates the picture's suitability for all audiences; such tags are never returned."""


def keep_tags(scored: Iterable[tuple[Tag, float]], options: InterrogateOptions) -> dict[str, float]:
    """The tags to return with their probabilities, in the order of the output."""
    asked = options.interrogate_deepbooru_score_threshold
    kept = [
        (tag.name, score)
        for tag, score in scored
        if not tag.rating and score >= (tag.threshold if asked is None else asked)
    ]
    if options.deepbooru_sort_alpha:
        kept.sort()
    else:
        kept.sort(key=lambda pair: -pair[1])
    left_out = {tag.strip().replace(" ", "_") for tag in options.deepbooru_filter_tags.split(",")}
    return {name: score for name, score in kept if name not in left_out}


def write_tags(kept: Mapping[str, float], options: InterrogateOptions) -> str:
    """The tags as one line of text."""
    return ", ".join(_written(name, score, options) for name, score in kept.items())


def _written(name: str, score: float, options: InterrogateOptions) -> str:
    if options.deepbooru_use_spaces:
        name = name.replace("_", " ")
    if options.deepbooru_escape:
        name = _SPECIAL.sub(r"\\\1", name)
    return f"({name}:{score:.3f})" if options.interrogate_return_ranks else name

"""Words that a network was trained on, from the metadata that trainers write."""

import json
from collections import Counter
from collections.abc import Mapping

from generate_on_cloud.model_files.texts import is_text

MAX_WORDS = 20
MAX_CHARACTERS = 100


def trained_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The trigger phrase declared by the author, then the most frequent training tags; at most MAX_WORDS."""
    declared = [word.strip() for word in metadata.get("modelspec.trigger_phrase", "").split(",")]
    counted = Counter[str]()
    for tags in _documents(metadata.get("ss_tag_frequency", "")):
        for tag, count in tags.items():
            if type(count) is int and count > 0:
                counted[tag.strip()] += count
    frequent = [tag for tag, _ in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))]
    words = [word[:MAX_CHARACTERS] for word in (*declared, *frequent) if word and is_text(word)]
    return tuple(dict.fromkeys(words))[:MAX_WORDS]


def _documents(text: str) -> list[dict[str, object]]:
    """The inner dictionaries of `{folder: {tag: count}}`; empty for text of any other form."""
    try:
        folders = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return []
    if not isinstance(folders, dict):
        return []
    return [tags for tags in folders.values() if isinstance(tags, dict)]

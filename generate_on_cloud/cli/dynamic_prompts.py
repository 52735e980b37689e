"""Dynamic prompts: `a {red|blue} fox` means one prompt with each choice."""

import itertools
import re
from collections.abc import Iterator

from generate_on_cloud.client.errors import CloudError

MAX_PROMPTS = 1000
_CHOICE = re.compile(r"(?<!\\)\{([^{}]*\|[^{}]*)(?<!\\)\}")
"""The innermost braces that hold a `|`; `\\{` and braces without one are text."""


def prompts_of(text: str) -> list[str]:
    """Every prompt that the choices in braces make, in order; choices may be nested. `\\{`, `\\}` are plain braces.

    Raises:
        CloudError: there are more than MAX_PROMPTS.
    """
    prompts = list(itertools.islice(_expanded(text), MAX_PROMPTS + 1))
    if len(prompts) > MAX_PROMPTS:
        raise CloudError(f"the choices in braces make more than {MAX_PROMPTS} prompts; allowed: up to {MAX_PROMPTS}")
    return [re.sub(r"\\([{}])", r"\1", prompt) for prompt in dict.fromkeys(prompts)]


def _expanded(text: str) -> Iterator[str]:
    found = _CHOICE.search(text)
    if found is None:
        yield text
        return
    for choice in found[1].split("|"):
        yield from _expanded(text[: found.start()] + choice.strip() + text[found.end() :])

"""Styles: named texts that are merged into both prompts before anything else is read (semantics §1.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference_container.prompt.errors import UnknownStyleError

PLACEHOLDER = "{prompt}"


@dataclass(frozen=True)
class Style:
    prompt: str = ""
    negative_prompt: str = ""


def apply_styles(
    prompt: str, negative_prompt: str, *, names: Sequence[str], styles: Mapping[str, Style]
) -> tuple[str, str]:
    """Both prompts with the styles `names` merged in, in their order.

    Raises:
        UnknownStyleError: a name that is not in `styles` (WebUI ignores it).
    """
    for name in names:
        style = styles.get(name)
        if style is None:
            raise UnknownStyleError(f"unknown style {name!r}; allowed: {', '.join(styles) or 'none'}")
        prompt = _merge(style.prompt, prompt)
        negative_prompt = _merge(style.negative_prompt, negative_prompt)
    return prompt, negative_prompt


def _merge(style_text: str, prompt: str) -> str:
    if PLACEHOLDER in style_text:
        return style_text.replace(PLACEHOLDER, prompt)
    return ", ".join(text for text in (prompt.strip(), style_text.strip()) if text)

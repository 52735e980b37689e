"""Styles: named texts that are merged into both prompts before they are parsed (semantics §1.1)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generate_on_cloud.webui.prompt.errors import StyleError, StylesFileError, UnknownStyleError

PLACEHOLDER = "{prompt}"
COLUMNS = "name, prompt, negative_prompt"
EXCERPT = 100
NAMES_SHOWN = 30
MAX_PROMPT = 2**20
"""Maximum characters of a prompt with its styles; each style can repeat the prompt, so length grows exponentially."""


@dataclass(frozen=True)
class Style:
    prompt: str = ""
    negative_prompt: str = ""


def read_styles(data: bytes) -> dict[str, Style]:
    """Read the bytes of a `styles.csv` of WebUI, also of old versions without negative prompts.

    As in WebUI, the last of several rows with the same name counts. Rows without a name are ignored.

    Raises:
        StylesFileError: the bytes are not such a file.
    """
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), skipinitialspace=True)
        columns = rows.fieldnames or ()
        text = next((column for column in ("prompt", "text") if column in columns), None)
        if "name" not in columns or text is None:
            found = ", ".join(columns)[:EXCERPT] or "none"
            raise StylesFileError(f"its first line names the columns {found}; allowed: {COLUMNS}")
        return {row["name"]: Style(row[text] or "", row.get("negative_prompt") or "") for row in rows if row["name"]}
    except (UnicodeDecodeError, csv.Error) as error:
        raise StylesFileError(f"it is not a table of UTF-8 text ({error})") from error


def apply_styles(
    prompt: str, negative_prompt: str, *, names: Sequence[str], styles: Mapping[str, Style]
) -> tuple[str, str]:
    """Merge the styles `names` into both prompts, in their order.

    Raises:
        UnknownStyleError: a name is not in `styles` (WebUI ignores such names).
        StyleError: a prompt grows beyond MAX_PROMPT characters.
    """
    for name in names:
        style = styles.get(name)
        if style is None:
            more = f" and {len(styles) - NAMES_SHOWN} more" if len(styles) > NAMES_SHOWN else ""
            known = ", ".join(list(styles)[:NAMES_SHOWN]) or "none"
            raise UnknownStyleError(f"unknown style {name[:EXCERPT]!r}; allowed: {known}{more}")
        prompt = _merge(style.prompt, prompt)
        negative_prompt = _merge(style.negative_prompt, negative_prompt)
    return prompt, negative_prompt


def _merge(style_text: str, prompt: str) -> str:
    uses = style_text.count(PLACEHOLDER)
    if len(style_text) + max(uses, 1) * len(prompt) > MAX_PROMPT:
        raise StyleError(f"received styles that make a prompt longer than {MAX_PROMPT} characters")
    if uses:
        return style_text.replace(PLACEHOLDER, prompt)
    return ", ".join(text for text in (prompt.strip(), style_text.strip()) if text)

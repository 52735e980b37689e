"""What of a page is not in the reader's language."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

_FOLDER: Final = Path(__file__).resolve().parents[2] / "console" / "src" / "locales"
_TEXTS: Final = """() => {
  const said = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.parentElement.checkVisibility()) said.push(walker.currentNode.data);
  for (const name of ["aria-label", "placeholder", "title"])
    for (const each of document.querySelectorAll(`[${name}]`)) said.push(each.getAttribute(name));
  return said;
}"""


def untranslated(page: Page, language: str) -> list[str]:
    """Keys of texts, places for values, and texts that are English though the language has another one for them."""
    english, own = _locale("en"), _locale(language)
    foreign = {text for key, text in english.items() if own[key] != text} - set(own.values())
    said = {text.strip() for text in page.evaluate(_TEXTS)}
    return sorted(text for text in said if text in foreign or text in english or "{{" in text)


def _locale(language: str) -> dict[str, str]:
    return dict(_flat(json.loads((_FOLDER / f"{language}.json").read_text())))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")

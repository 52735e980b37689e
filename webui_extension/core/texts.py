"""What the panel says, in the language of the host."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "ja", "zh")
_FOLDER = Path(__file__).parent / "languages"


class _Chosen:
    language = "en"


def choose_language(localization: str | None) -> str:
    """The language for the host's setting `localization`, such as `ja_JP` or `zh-Hans (Stable)`; English else."""
    name = (localization or "").casefold()
    spelled = {"ja": ("ja", "日本"), "zh": ("zh", "chinese", "中文", "简体", "繁體")}
    found = (language for language, starts in spelled.items() if name.startswith(starts))
    _Chosen.language = next(found, "en")
    return _Chosen.language


def say(key: str, **values: object) -> str:
    """The text of this key in the chosen language, with its values filled in."""
    text = texts(_Chosen.language).get(key) or texts("en")[key]
    return text.format(**values) if values else text


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of a language by key."""
    loaded: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return loaded

"""Parses infotext into prompts and parameters (semantics §7)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NEGATIVE_PROMPT = "Negative prompt:"
LEAST_PARAMETERS = 3
"""A last line with fewer parameters is part of the prompt."""

# Also matches words without a colon after them, so that they are scanned once and not from each of their letters.
_PARAMETER = re.compile(r'(\w[\w \-/]++)(?::\s*("(?:\\.|[^\\"])++"(?=,|$)|[^,]*))?')
_SIZE = re.compile(r"(\d+)x(\d+)")

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "Clip skip": "1",
        "Mask mode": "Inpaint masked",
        "Masked content": "original",
        "Inpaint area": "Whole picture",
        "Masked area padding": "32",
        "RNG": "GPU",
        "Schedule type": "Automatic",
        "Emphasis": "Original",
    }
)
"""The values of absent entries."""


@dataclass(frozen=True)
class Infotext:
    prompt: str
    negative_prompt: str
    parameters: Mapping[str, str]
    """Values as written, except that a size such as `Size: 512x768` becomes `Size-1` and `Size-2`."""
    empty: tuple[str, ...] = ()
    """Entries without a value, which WebUI leaves out."""

    def with_defaults(self) -> dict[str, str]:
        """The parameters, completed with DEFAULTS."""
        return {**DEFAULTS, **self.parameters}

    def is_before(self, *version: int) -> bool:
        """Whether `Version` is an earlier one of WebUI: major, minor, patch, commits since; False if it is unknown."""
        match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:-(\d+))?.*", self.parameters.get("Version", ""))
        return match is not None and tuple(int(part or 0) for part in match.groups()) < version


def parse_infotext(text: str) -> Infotext:
    """Parse any text; text that is not an infotext becomes a prompt without parameters."""
    *lines, last = text.removeprefix("\ufeff").strip().split("\n")
    found = [(match[1], match[2]) for match in _PARAMETER.finditer(last) if match[2] is not None]
    if len(found) < LEAST_PARAMETERS:
        lines.append(last)
        found = []
    prompt, negative_prompt = _read_prompts(lines)
    parameters = dict(_read_parameters(found))
    empty = tuple(key for key, value in parameters.items() if not value)
    return Infotext(prompt, negative_prompt, {key: value for key, value in parameters.items() if value}, empty)


def _read_prompts(lines: list[str]) -> tuple[str, str]:
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for raw in lines:
        line = raw.strip()
        if line.startswith(NEGATIVE_PROMPT):
            current = negative
            line = line.removeprefix(NEGATIVE_PROMPT).strip()
        if line or current:
            current.append(line)
    return "\n".join(prompt), "\n".join(negative)


def _read_parameters(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    parameters = []
    for key, written in found:
        value = _unquote(written)
        size = _SIZE.fullmatch(value)
        if size is None:
            parameters.append((key, value))
        else:
            parameters += [(f"{key}-1", size.group(1)), (f"{key}-2", size.group(2))]
    return parameters


def _unquote(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return str(value)

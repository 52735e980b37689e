"""What the client does to prompts before they leave: comments go, and LoRAs get the names that the cloud knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_COMMENT_LINE = re.compile(r"(^|\n)#[^\n]*(\n|$)")
_COMMENT_AT_END = re.compile(r"#[^\n]*(\n|$)")
_LORA = re.compile(r"<(lora|lyco):([^:>]+)([^>]*)>")
_STEM = re.compile(r"\.(safetensors|pt|ckpt|bin|png)$", re.IGNORECASE)


class Resolved(NamedTuple):
    prompt: str
    missing: tuple[str, ...]
    """Names that the cloud does not have, in the order written; their tags are taken out."""


def strip_comments(text: str) -> str:
    """Remove everything from a `#` to the end of its line; like WebUI, each comment leaves one newline."""
    return _COMMENT_AT_END.sub("\n", _COMMENT_LINE.sub("\n", text))


def stem(name: str) -> str:
    """A file's name without its extension."""
    return _STEM.sub("", name)


def resolve_loras(prompt: str, cloud: Iterable[Mapping[str, object]], local: Mapping[str, str]) -> Resolved:
    """The prompt with each LoRA named by its file in the cloud.

    Args:
        prompt: the positive prompt.
        cloud: the cloud's LoRAs, as the API lists them.
        local: the host's names and aliases of LoRAs -> stem of the file.
    """
    names = {}
    for asset in cloud:
        file = stem(str(asset["name"]))
        names[file.casefold()] = file
        if asset.get("alias"):
            names.setdefault(str(asset["alias"]).casefold(), file)
    missing: list[str] = []

    def in_the_cloud(tag: re.Match[str]) -> str:
        kind, name, rest = tag.groups()
        for candidate in (name, local.get(name, name)):
            if candidate.casefold() in names:
                return f"<{kind}:{names[candidate.casefold()]}{rest}>"
        missing.append(name)
        return ""

    return Resolved(_LORA.sub(in_the_cloud, prompt), tuple(dict.fromkeys(missing)))


def missing_embeddings(
    prompts: Iterable[str], cloud: Iterable[Mapping[str, object]], local: Iterable[str]
) -> list[str]:
    """Embeddings of this machine that the prompts name as whole words and the cloud does not have."""
    known = {stem(str(asset["name"])).casefold() for asset in cloud}
    text = "\n".join(prompts)
    return [
        name
        for name in sorted(set(local))
        if name.casefold() not in known and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
    ]

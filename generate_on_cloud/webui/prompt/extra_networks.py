"""What is taken out of a prompt before it is read: comments (semantics §4.1) and extra-network tags (§4.2).

A tag such as `<lora:name:0.8>` is parsed into its arguments.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from generate_on_cloud.contract.limits import MAX_WEIGHT
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError

_COMMENT_LINE = re.compile(r"(?:^|\n)#[^\n]*(?:\n|$)")
_COMMENT_AT_END = re.compile(r"#[^\n]*(?:\n|$)")
_TAG = re.compile(r"<(\w+):([^>]+)>")
LORA_KINDS = frozenset({"lora", "lyco"})
HYPERNET_KIND = "hypernet"
# Tags of all other kinds are only removed from the text.


@dataclass(frozen=True)
class ExtraNetworkTag:
    """One tag as written; its `kind` may be unknown."""

    kind: str
    positional: tuple[str, ...]
    named: Mapping[str, str]
    text: str
    """The whole tag, brackets included."""

    @property
    def name(self) -> str:
        """The name of the file.

        Raises:
            PromptSyntaxError: the tag has only named arguments.
        """
        if not self.positional:
            raise PromptSyntaxError(f"received the tag {self.text!r} without a name; allowed: <{self.kind}:name:…>")
        return self.positional[0]


@dataclass(frozen=True)
class LoraUse:
    name: str
    text_encoder_weight: float
    unet_weight: float
    rank: int | None
    """The rank to truncate to; None for the file's own rank."""


@dataclass(frozen=True)
class HypernetUse:
    name: str
    weight: float


@dataclass(frozen=True)
class NetworkPlan:
    """The networks that a prompt names, each kind in the order of its tags; a file named twice is applied twice."""

    loras: tuple[LoraUse, ...] = ()
    hypernets: tuple[HypernetUse, ...] = ()


NO_NETWORKS = NetworkPlan()


@dataclass(frozen=True)
class TaggedPrompt:
    text: str
    """The prompt without its tags; spaces and commas around them stay."""
    tags: tuple[ExtraNetworkTag, ...]
    """In the order written."""


def strip_comments(text: str) -> str:
    """Remove everything from a `#` to the end of its line.

    As in WebUI 1.10.1, each comment leaves one newline, so that infotexts are equal.
    """
    return _COMMENT_AT_END.sub("\n", _COMMENT_LINE.sub("\n", text))


def extract_tags(prompt: str) -> TaggedPrompt:
    """Remove all tags from a positive prompt; do not call this for negative prompts, where tags are ordinary text."""
    # No complete tag follows the last ">"; searching there would take quadratic time for "<a:<a:<a:…".
    end = prompt.rfind(">") + 1
    tags = tuple(_read_tag(match) for match in _TAG.finditer(prompt, 0, end))
    return TaggedPrompt(text=_TAG.sub("", prompt[:end]) + prompt[end:], tags=tags)


def _read_tag(match: re.Match[str]) -> ExtraNetworkTag:
    positional = []
    named = {}
    for argument in match.group(2).split(":"):
        key, equals, value = argument.partition("=")
        if equals and "=" not in value:
            named[key] = value
        else:
            positional.append(argument)
    return ExtraNetworkTag(kind=match.group(1), positional=tuple(positional), named=named, text=match.group(0))


def read_lora(tag: ExtraNetworkTag) -> LoraUse:
    """Parse `<lora:NAME:te:unet:dyn>`; all but NAME are optional and may be named (`te=`, `unet=`, `dyn=`).

    Raises:
        PromptSyntaxError: the name is missing, a weight is not a number, or there are too many arguments.
    """
    _check_arguments(tag, maximum=4, names=frozenset({"te", "unet", "dyn"}))
    text_encoder = _number(tag, index=1, name="te", default=1.0)
    unet = _number(tag, index=2, name="unet", default=text_encoder)
    rank = _number(tag, index=3, name="dyn", default=0.0)
    return LoraUse(tag.name, text_encoder, unet, int(rank) or None)


def read_hypernet(tag: ExtraNetworkTag) -> HypernetUse:
    """Parse `<hypernet:NAME:weight>`; the weight defaults to 1.

    Raises:
        PromptSyntaxError: the name is missing, the weight is not a number, or there are too many arguments.
    """
    _check_arguments(tag, maximum=2, names=frozenset())
    return HypernetUse(tag.name, _number(tag, index=1, name="", default=1.0))


def plan_networks(tags: Iterable[ExtraNetworkTag]) -> NetworkPlan:
    """The networks that `tags` name; tags of unknown kinds are ignored.

    Raises:
        PromptSyntaxError: as `read_lora` and `read_hypernet`.
    """
    known = tuple(tags)
    return NetworkPlan(
        loras=tuple(read_lora(tag) for tag in known if tag.kind in LORA_KINDS),
        hypernets=tuple(read_hypernet(tag) for tag in known if tag.kind == HYPERNET_KIND),
    )


def _check_arguments(tag: ExtraNetworkTag, *, maximum: int, names: frozenset[str]) -> None:
    unknown = sorted(set(tag.named) - names)
    if unknown or len(tag.positional) > maximum:
        allowed = f"{maximum} arguments" + (f" or {', '.join(sorted(names))} by name" if names else "")
        raise PromptSyntaxError(f"received the tag {tag.text!r}; allowed: at most {allowed}")


def _number(tag: ExtraNetworkTag, *, index: int, name: str, default: float) -> float:
    text = tag.named.get(name)
    if text is None:
        if len(tag.positional) <= index:
            return default
        text = tag.positional[index]
    try:
        number = float(text)
    except ValueError as error:
        raise PromptSyntaxError(f"received {text!r} as a weight in {tag.text!r}; allowed: a number") from error
    if not abs(number) <= MAX_WEIGHT:
        allowed = f"allowed: from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}"
        raise PromptSyntaxError(f"received {text!r} as a weight in {tag.text!r}; {allowed}")
    return number

"""Prompt editing and alternation: which text is used until which step (semantics §4.5).

The syntax is `[from:to:N]`, `[to:N]`, `[from::N]` and `[a|b|…]`, nested to any depth and with emphasis inside. As in
WebUI 1.10.1, any other group is text, and a prompt that cannot be parsed as a whole (a `|` outside square brackets, a
backslash at the end) is taken literally. WebUI's grammar is ambiguous where brackets and colons without a
meaning follow an edit; `_settle` says how it decides: `[a:b:2]::` is text, `[a:b:2]:` is not.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from generate_on_cloud.contract.limits import MAX_EDITED
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError

MAX_DEPTH = 100
"""The number of brackets that may be open at once."""


@dataclass(frozen=True)
class PromptClock:
    """The steps that a prompt's times refer to: all steps of the request, in img2img too (semantics §2.8)."""

    steps: int
    second_order: bool = False
    """The sampler calls the model twice per step, so the timeline is twice as long (`SamplerRule.second_order`)."""
    hires_steps: int | None = None
    """Steps of the hires pass, if the texts are for that pass; `steps` then counts the first pass."""
    hires_second_order: bool = False
    use_old_scheduling: bool = False
    """WebUI's option for pictures from before 1.6: any N below 1 is a fraction, and hires steps do not count."""

    @property
    def length(self) -> int:
        """The number of steps in the timeline."""
        if self.hires_steps is None or self.use_old_scheduling:
            return self._first_pass
        return self.hires_steps * (2 if self.hires_second_order else 1)

    @property
    def _first_pass(self) -> int:
        return self.steps * (2 if self.second_order else 1)

    def step_of(self, number: str) -> int:
        """The last step before a change at time `number`; 0 or less if the change comes before the start."""
        value = float(number)
        if self.use_old_scheduling:
            step = value * self.length if value < 1 else value
        elif "." in number:
            step = (value - (0 if self.hires_steps is None else 1)) * self.length
        else:
            step = value - (0 if self.hires_steps is None else self._first_pass)
        # max() avoids converting huge negative numbers such as -inf to an integer
        return int(max(min(step, self.length), -1))


@dataclass(frozen=True)
class TimedText:
    until: int
    """The last step of this text, counted from 1."""
    text: str


def schedule_prompt(text: str, clock: PromptClock) -> tuple[TimedText, ...]:
    """The texts of one prompt in order; the last one ends at `clock.length`.

    Equal neighbouring texts stay separate: WebUI weights them by their number when it restores means.

    Raises:
        PromptSyntaxError: more than MAX_DEPTH brackets are open, the text contains half of a surrogate pair, or it is
            too long to be written out for each of its changes.
    """
    surrogate = _SURROGATE.search(text)
    if surrogate is not None:
        raise PromptSyntaxError(
            f"received half of a surrogate pair, U+{ord(surrogate.group(0)):04X}, at position {surrogate.start()}; "
            "allowed: Unicode text"
        )
    try:
        nodes = _parse(text)
    except _NotInLanguageError:
        return (TimedText(clock.length, text),)
    ends = {clock.length}
    _add_ends(nodes, clock, ends)
    if len(text) * len(ends) > MAX_EDITED:
        raise PromptSyntaxError(
            f"received {len(text)} characters that change {len(ends)} times; allowed: characters × changes up to "
            f"{MAX_EDITED}"
        )
    return tuple(TimedText(end, _text_at(end, nodes, clock)) for end in sorted(ends))


def _text_at(step: int, nodes: "_Nodes", clock: PromptClock) -> str:
    pieces: list[str] = []
    _add_text_at(step, nodes, clock, pieces)
    return "".join(pieces)


@dataclass(frozen=True)
class _Edit:
    """`[before:after:when]`"""

    before: "_Nodes"
    after: "_Nodes"
    when: str
    as_text: "_Nodes"
    """Its brackets and colons as text, with what is between them."""


@dataclass(frozen=True)
class _Alternation:
    """`[a|b|…]`"""

    options: tuple["_Nodes", ...]


_Node = str | _Edit | _Alternation
_Nodes = list[_Node]


class _NotInLanguageError(Exception):
    pass


class _Stray(str):
    """A bracket or colon without a meaning."""

    __slots__ = ()


class _Opener(str):
    """The opening bracket of emphasis."""

    __slots__ = ()


class _Closer(str):
    """The closing bracket of emphasis."""

    __slots__ = ()


@dataclass
class _Group:
    """An open bracket and the nodes after it, split at separators."""

    bracket: str
    fields: list[_Nodes] = field(default_factory=lambda: [[]])
    separators: list[str] = field(default_factory=list)

    def as_text(self, mark: Callable[[str], str] = str) -> _Nodes:
        """The group as text with its nodes, for a bracket without a matching closing bracket.

        `mark` is applied to the bracket and the separators.

        Raises:
            _NotInLanguageError: the group contains a `|`.
        """
        if "|" in self.separators:
            raise _NotInLanguageError
        nodes: _Nodes = [mark(self.bracket), *self.fields[0]]
        for separator, following in zip(self.separators, self.fields[1:], strict=True):
            nodes += [mark(separator), *following]
        return nodes


_SURROGATE = re.compile("[\ud800-\udfff]")
_PIECE = re.compile(r"[\[\]():|]|(?:[^\\\[\]():|]|\\.)+")
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")


def _parse(text: str) -> _Nodes:
    top: _Nodes = []
    stack: list[_Group] = []
    position = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise _NotInLanguageError
        position = match.end()
        piece = match.group(0)
        current = stack[-1].fields[-1] if stack else top
        if piece in ("(", "["):
            if len(stack) >= MAX_DEPTH:
                raise PromptSyntaxError(f"received more than {MAX_DEPTH} open brackets; allowed: {MAX_DEPTH}")
            stack.append(_Group(piece))
        elif piece in (")", "]"):
            _close(piece, stack, top)
        elif piece in (":", "|") and stack:
            stack[-1].separators.append(piece)
            stack[-1].fields.append([])
        elif piece == "|":
            raise _NotInLanguageError
        else:
            current.append(_Stray(piece) if piece == ":" else piece)
    _give_up(stack, top)
    return _settle(top)


def _settle(top: _Nodes) -> _Nodes:
    """Decide as WebUI's parser does which edits before strays are text.

    It takes an edit that d brackets and then n strays follow as text if n is at least 1 and n + d is even. We found it
    by experiments with lark's Earley parser, which decides by the shape of its trees.
    """
    settled: _Nodes = []  # from the last node to the first
    waiting = list(top)
    closed = opening = 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Edit):
            closers = _run(settled, _Closer, skipped=0)
            strays = _run(settled, _Stray, skipped=closers)
            if strays >= 1 and (strays + closers) % 2 == 0:
                # The emphasis that ends with it has no meaning, either.
                settled[len(settled) - closers :] = [_Stray(bracket) for bracket in settled[len(settled) - closers :]]
                closed, opening = closed - closers, opening + closers
                waiting.extend(node.as_text)
                continue
        elif isinstance(node, _Closer):
            closed += 1
        elif isinstance(node, _Opener) and closed:
            closed -= 1
        elif isinstance(node, _Opener) and opening:
            opening -= 1
            node = _Stray(node)
        settled.append(node)
    return settled[::-1]


def _run(nodes: _Nodes, kind: type[str], *, skipped: int) -> int:
    """How many nodes of a kind follow each other at the end, before which `skipped` are skipped."""
    count = 0
    while skipped + count < len(nodes) and isinstance(nodes[-1 - skipped - count], kind):
        count += 1
    return count


def _close(closer: str, stack: list[_Group], top: _Nodes) -> None:
    nodes = _read_group(stack[-1], closer) if stack else None
    if nodes is None:
        # Bracketed text that is not a group makes every group around it text too: meaningless brackets and colons are
        # allowed at the outermost level only.
        _give_up(stack, top)
        top.append(_Stray(closer))
        return
    stack.pop()
    (stack[-1].fields[-1] if stack else top).extend(nodes)


def _give_up(stack: list[_Group], top: _Nodes) -> None:
    for group in stack:
        top.extend(group.as_text(_Stray))
    stack.clear()


def _read_group(group: _Group, closer: str) -> _Nodes | None:
    """The meaning of a closed group; None if its brackets are text."""
    colons = group.separators.count(":")
    bars = group.separators.count("|")
    match group.bracket + closer:
        case "()" if bars == 0 and colons <= 1:
            return [_Opener("("), *group.as_text()[1:], _Closer(")")]
        case "[]" if not group.separators:
            return [_Opener("["), *group.as_text()[1:], _Closer("]")]
        case "[]" if colons == 0:
            return [_Alternation(tuple(group.fields))]
        case "[]" if bars == 0 and colons <= 2 and (when := _read_number(group.fields[-1])) is not None:
            text = [*group.as_text(_Stray), _Stray("]")]
            return [_Edit(group.fields[0] if colons == 2 else [], group.fields[-2], when, text)]
    return None


def _read_number(nodes: _Nodes) -> str | None:
    if len(nodes) != 1 or not isinstance(nodes[0], str):
        return None
    match = _NUMBER.fullmatch(nodes[0])
    return match.group(1) if match else None


def _add_ends(nodes: _Nodes, clock: PromptClock, ends: set[int]) -> None:
    for node in nodes:
        if isinstance(node, _Edit):
            end = clock.step_of(node.when)
            if end >= 1:
                ends.add(end)
            _add_ends(node.before, clock, ends)
            _add_ends(node.after, clock, ends)
        elif isinstance(node, _Alternation):
            ends.update(range(1, clock.length + 1))
            for option in node.options:
                _add_ends(option, clock, ends)


def _add_text_at(step: int, nodes: _Nodes, clock: PromptClock, pieces: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            pieces.append(node)
        elif isinstance(node, _Edit):
            _add_text_at(step, node.before if step <= clock.step_of(node.when) else node.after, clock, pieces)
        else:
            _add_text_at(step, node.options[(step - 1) % len(node.options)], clock, pieces)

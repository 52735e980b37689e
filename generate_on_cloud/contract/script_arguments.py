"""Kinds of arguments of selectable scripts, as WebUI's page declares them by its components."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

SHOWN = 60
"""Maximum characters of a received value that a message repeats."""


class Kind(Protocol):
    """What an argument may be."""

    @property
    def allowed(self) -> str:
        """The allowed values, for people."""
        ...

    def read(self, value: object) -> Any:
        """The value as the script uses it.

        Raises:
            ValueError: it is not allowed; without a text.
        """
        ...


@dataclass(frozen=True)
class Whole:
    """A whole number; like WebUI's page, an API client may send it as a float or text."""

    low: int
    high: int

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high}"

    def read(self, value: object) -> int:
        number = Real(self.low, self.high).read(value)
        if number != math.trunc(number):
            raise ValueError
        return math.trunc(number)


@dataclass(frozen=True)
class Real:
    """A number."""

    low: float
    high: float

    @property
    def allowed(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def read(self, value: object) -> int | float:
        """Integers stay integers, as infotexts show them."""
        if isinstance(value, str):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise ValueError
        return value


@dataclass(frozen=True)
class Choice:
    """One of several texts, also by its place in the list; case does not matter."""

    options: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return f"{', '.join(self.options)}, or 0 to {len(self.options) - 1}"

    def read(self, value: object) -> str:
        if isinstance(value, str):
            return {one.casefold(): one for one in self.options}[value.casefold()]
        return self.options[Whole(0, len(self.options) - 1).read(value)]


@dataclass(frozen=True)
class Several:
    """A list of some of these texts, at least one."""

    options: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return f"a list of {', '.join(self.options)}"

    def read(self, value: object) -> tuple[str, ...]:
        chosen = [value] if isinstance(value, str) else value
        if not isinstance(chosen, list) or not chosen or any(one not in self.options for one in chosen):
            raise ValueError
        return tuple(chosen)


@dataclass(frozen=True)
class Switch:
    """On or off."""

    allowed = "true, false"

    def read(self, value: object) -> bool:
        if value not in (True, False):
            raise ValueError
        return bool(value)


@dataclass(frozen=True)
class Text:
    """Any text up to a length."""

    longest: int

    @property
    def allowed(self) -> str:
        return f"text of up to {self.longest} characters"

    def read(self, value: object) -> str:
        if not isinstance(value, str) or len(value) > self.longest:
            raise ValueError
        return value


@dataclass(frozen=True)
class Texts:
    """A list of texts; an empty text is an empty list."""

    most: int

    @property
    def allowed(self) -> str:
        return f"a list of up to {self.most} texts"

    def read(self, value: object) -> tuple[str, ...]:
        texts = [] if value == "" else value
        if not isinstance(texts, list) or len(texts) > self.most or not all(isinstance(one, str) for one in texts):
            raise ValueError
        return tuple(texts)


@dataclass(frozen=True)
class AxisName:
    """The label of an axis, or its place in the list."""

    allowed = "the label of an axis, or its place in WebUI's list"

    def read(self, value: object) -> str | int:
        if isinstance(value, str) and not value.strip().isdecimal():
            return value
        return Whole(0, 999).read(value)


@dataclass(frozen=True)
class Label:
    """A text on WebUI's page that has a place in the list of arguments; its value is ignored."""

    allowed = "anything"

    def read(self, value: object) -> None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Argument:
    """One place in a script's list of arguments."""

    name: str
    """The field of the script's dataclass, and the name in messages."""
    kind: Kind
    default: Any
    """Of WebUI's page; used for missing arguments and null."""


def read_arguments(title: str, arguments: Sequence[Argument], received: Sequence[object]) -> dict[str, Any]:
    """The values by name, without those of labels; missing trailing arguments have their defaults.

    Raises:
        ValueError: too many, or one that is not allowed; the text names the argument, what was received and what is
            allowed.
    """
    if len(received) > len(arguments):
        names = ", ".join(argument.name for argument in arguments)
        raise ValueError(f"{title}: received {len(received)} arguments; allowed: up to {len(arguments)}: {names}")
    values: dict[str, Any] = {}
    for number, argument in enumerate(arguments):
        value = received[number] if number < len(received) else None
        if not isinstance(argument.kind, Label):
            values[argument.name] = argument.default if value is None else _read(title, argument, value)
    return values


def _read(title: str, argument: Argument, value: object) -> Any:
    try:
        return argument.kind.read(value)
    except (ValueError, LookupError):
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
        place = f"{title}: {argument.name}"
        raise ValueError(f"{place}: received {shown}; allowed: {argument.kind.allowed}") from None

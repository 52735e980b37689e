"""Options that several commands share, declared once as a dataclass whose fields are typer's options."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from typing import Any, get_type_hints


def with_options(**groups: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of each dataclass as options; the command gets the filled dataclass by that name."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command).parameters.values() if one.name not in groups]
        hints = get_type_hints(command, include_extras=True)
        parameters = [one.replace(annotation=hints[one.name]) for one in own]
        for group in groups.values():
            parameters += _parameters(group)

        @wraps(command)
        def run(**values: Any) -> None:
            filled = {
                name: group(**{field.name: values.pop(field.name) for field in fields(group)})
                for name, group in groups.items()
            }
            command(**values, **filled)

        del run.__wrapped__
        positional = [one for one in parameters if one.kind is not inspect.Parameter.KEYWORD_ONLY]
        named = [one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
        run.__signature__ = inspect.Signature([*positional, *named])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    """The fields of a dataclass as keyword parameters with their annotations and defaults."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
        )
        for field in fields(group)
    ]

"""Help pages as `gh` and `uv` print them: arguments by their names alone, without types and braces."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand


class _PlainCommand(TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`PICTURE MASK...` for typer's `{PICTURE} {MASK...}...`; brackets still mean that one may be left out."""
        pieces = super().collect_usage_pieces(ctx)
        return [re.sub(r"^[{](.*)[}](?:[.]{3})?$|^(\[.*[.]{3}\])[.]{3}$", r"\1\2", piece) for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The list of arguments and options, an argument without its Python type."""
        write = formatter.write_dl

        def write_plain(rows: Sequence[tuple[str, str]], *args: Any, **more: Any) -> None:
            plain = [(name if name.startswith("-") else re.sub(r" <[^>]*>$", "", name), text) for name, text in rows]
            write(plain, *args, **more)

        formatter.write_dl = write_plain
        super().format_options(ctx, formatter)
        formatter.write_dl = write


class Commands(typer.Typer):
    """A group of commands with such pages."""

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        return super().command(name, **{"cls": _PlainCommand, **more})

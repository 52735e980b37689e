"""Tables and sheets for people: as wide as the terminal, colour by status, plain in a pipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS: Mapping[str, str] = {
    "succeeded": "green", "active": "green", "InService": "green", "delivered": "green",
    "failed": "red", "expired": "red", "Failed": "red", "OutOfService": "red", "given_up": "red",
    "running": "cyan", "uploading": "cyan", "importing": "cyan", "inspecting": "cyan",
    "Creating": "cyan", "Updating": "cyan", "canceled": "yellow", "retrying": "yellow", "Deleting": "yellow",
    "ScaledToZero": "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    head: str
    wide: bool = False
    """May be cut to fit; the other columns keep their width."""
    number: bool = False


def console() -> Console:
    """Standard output."""
    return Console(highlight=False, soft_wrap=False)


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """The rows under their heads; columns that are empty in every row are left out. `empty` says there are no rows."""
    out, lines = console(), [list(row) for row in rows]
    if not lines:
        out.print(empty, markup=False, soft_wrap=True)
        return
    used = [place for place in range(len(columns)) if any(line[place] for line in lines)]
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True, padding=(0, 2, 0, 0))
    for place in used:
        column = columns[place]
        table.add_column(
            column.head,
            no_wrap=True,
            overflow="ellipsis" if column.wide else "ignore",
            min_width=None if column.wide else max(len(line[place]) for line in lines),
            ratio=None,
            justify="right" if column.number else "left",
        )
    for line in lines:
        table.add_row(*(Text(line[place], style=COLOURS.get(line[place], "")) for place in used))
    out.print(table)


def print_sheet(lines: Mapping[str, object]) -> None:
    """`name  value`, a line each; values that say nothing are left out."""
    out = console()
    told = {name: _text(value) for name, value in lines.items() if value not in (None, "", [], {})}
    width = max(map(len, told), default=0)
    for name, value in told.items():
        first, *more = value.splitlines() or [""]
        out.print(Text.assemble((f"{name:{width}}  ", "bold"), (first, COLOURS.get(first, ""))), soft_wrap=True)
        for line in more:
            out.print(Text(f"{'':{width}}  {line}"), soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items() if one is not None)
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def size(count: int) -> str:
    """Bytes as `4.3 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"

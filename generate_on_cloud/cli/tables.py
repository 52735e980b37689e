"""Tables and sheets for people: as wide as the terminal, colour by status, plain in a pipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
"""Characters between two columns."""
MIN_WIDE = 8
"""Characters that a cut column keeps."""
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
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    widths = _widths([columns[place] for place in used], [[line[place] for place in used] for line in lines], out.width)
    for place, width in zip(used, widths, strict=True):
        column = columns[place]
        table.add_column(
            column.head, no_wrap=True, overflow="ellipsis", width=width, justify="right" if column.number else "left"
        )
    for line in lines:
        table.add_row(*(Text(line[place], style=COLOURS.get(line[place], "")) for place in used))
    out.print(table)


def _widths(columns: Sequence[Column], lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """Widths in characters: what each column needs, the wide ones cut to equal shares of what is left for them."""
    needed = [
        max(cell_len(column.head), *(cell_len(line[place]) for line in lines)) for place, column in enumerate(columns)
    ]
    wide = sorted((place for place, column in enumerate(columns) if column.wide), key=lambda place: needed[place])
    left = room - GAP * (len(columns) - 1) - sum(width for place, width in enumerate(needed) if place not in wide)
    for number, place in enumerate(wide):
        needed[place] = min(needed[place], max(MIN_WIDE, left // (len(wide) - number)))
        left -= needed[place]
    return needed


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

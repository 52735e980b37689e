"""A row of `goc doctor`, and how rows are shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from rich.text import Text

from generate_on_cloud.cli.output import print_document
from generate_on_cloud.cli.tables import console


class Verdict(StrEnum):
    OK = "ok"
    LOOK = "look"
    """It works, but you should know about this, or it could not be checked."""
    STOP = "stop"
    """No picture can be drawn until it is mended."""


_COLOURS = {Verdict.OK: "green", Verdict.LOOK: "yellow", Verdict.STOP: "red"}


@dataclass(frozen=True)
class Row:
    """One line: the finding and, unless it is fine, what mends it."""

    name: str
    verdict: Verdict
    text: str
    mend: str = ""


def stops(rows: Sequence[Row]) -> int:
    """How many rows keep pictures from being drawn."""
    return sum(row.verdict is Verdict.STOP for row in rows)


def print_rows(rows: Sequence[Row], *, as_json: bool) -> None:
    """`{"rows": […], "ready": …}`, or a line for each row and one that sums them up."""
    ready = not stops(rows)
    if as_json:
        print_document({"rows": [asdict(row) for row in rows], "ready": ready})
        return
    out = console()
    for row in rows:
        text = f" {row.name:10} {row.text}" + (f": {row.mend}" if row.mend else "")
        out.print(Text.assemble((f"{row.verdict:5}", _COLOURS[row.verdict]), text), soft_wrap=True)
    out.print("ready to draw" if ready else f"{stops(rows)} to fix before pictures can be drawn")

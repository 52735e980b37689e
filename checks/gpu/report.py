"""The rows that the checks give, as a table and as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    OK = "ok"
    FAILED = "failed"
    MEASURED = "measured"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Row:
    section: str
    name: str
    verdict: Verdict
    text: str
    """The figures in words, or the reason of a failure."""
    figures: Mapping[str, float] = field(default_factory=dict)


def judged(section: str, name: str, *, good: bool, text: str, **figures: float) -> Row:
    """A row that fails the run unless it is `good`."""
    return Row(section, name, Verdict.OK if good else Verdict.FAILED, text, figures)


def measured(section: str, name: str, text: str, **figures: float) -> Row:
    return Row(section, name, Verdict.MEASURED, text, figures)


def skipped(section: str, name: str, why: str) -> Row:
    return Row(section, name, Verdict.SKIPPED, why)


def line_of(row: Row) -> str:
    return f"{row.verdict:<9} {row.section:<10} {row.name:<44} {row.text}"


def write_json(path: Path, machine: Mapping[str, str], rows: Iterable[Row]) -> None:
    document = {"machine": dict(machine), "rows": [asdict(row) for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

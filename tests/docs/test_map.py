"""The README's table "Where do I change X": every path in it exists, and every name stands in the file before it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHANGES = {
    "sampler", "scheduler", "asset type", "API route", "job field clients see", "alarm", "option of a stage",
    "idle default", "network kind", "task", "quota", "webhook event", "model family", "error code",
    "page of the console",
}  # fmt: skip


def rows() -> list[list[str]]:
    """Cells of every row, without the head."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("### Where do I change X")[2]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def is_path(word: str) -> bool:
    return "/" in word


def names_in(path: Path) -> set[str]:
    """What a module defines at any depth: classes, functions and assigned names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def wrong(cell: str) -> list[str]:
    """What a cell names that is not there. A name belongs to the path before it; `ROUTES.add` is a call, no name."""
    found, path = [], ROOT
    for word in re.findall(r"`([^`]+)`", cell):
        if is_path(word):
            path = ROOT / word
            if not path.exists() or path.is_dir() != word.endswith("/"):
                found.append(word)
        elif word.isidentifier() and path.suffix == ".py" and path.exists() and word not in names_in(path):
            found.append(f"{path.relative_to(ROOT)}: {word}")
    return found


def test_the_map_has_every_change_a_newcomer_asks_for() -> None:
    told = {re.sub(r"^(an?|the) ", "", row[0]) for row in rows()}

    assert told >= CHANGES


def test_every_row_says_what_to_touch() -> None:
    assert all(len(row) == 3 and re.search(r"`[^`]+/[^`]*`", row[1]) for row in rows())


def test_every_path_and_name_in_the_map_exists() -> None:
    assert [found for row in rows() for cell in row for found in wrong(cell)] == []


def test_a_path_or_name_that_is_gone_is_found() -> None:
    cell = (
        "`tests/docs/gone.py`; `tests/docs/test_map.py`: `CHANGES`, `Nowhere`; a module of `tests/docs/`, `tests/docs`"
    )

    assert wrong(cell) == ["tests/docs/gone.py", "tests/docs/test_map.py: Nowhere", "tests/docs"]

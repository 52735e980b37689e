"""Code blocks of the pages that readers paste from, and those that nothing runs, with the reason."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("sh", "python", "ts")
RUN = {
    "README.md": ("sh",),
    "docs/tasks.md": ("sh",),
    "docs/access.md": ("sh", "python"),
    "docs/python.md": ("python",),
    "docs/deploy.md": ("sh",),
    "docs/runbook.md": ("sh",),
    "clients/typescript/README.md": ("ts",),
}
"""Languages of each page that tests/e2e/test_docs_run.py runs, except the blocks of the table in docs/testing.md."""
_ROW = re.compile(r"^\| `(?P<page>[^`]+)` \| `(?P<start>[^|]+)` \| (?P<why>.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str


def pages() -> list[str]:
    """Every page that is kept under docs/ or is a README of something that people use."""
    found = [ROOT / "README.md", ROOT / "clients/typescript/README.md", *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def blocks(page: str) -> list[Block]:
    """A page's blocks in the languages that can be run, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^ *```({'|'.join(LANGUAGES)})\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [Block(page, language, body) for language, body in found]


def exceptions() -> Iterator[tuple[str, str, str]]:
    """Rows of the table in docs/testing.md: page, how the block begins, and why no test runs it."""
    text = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    for row in _ROW.finditer(text.partition("## Blocks that no test runs")[2].partition("\n## ")[0]):
        yield row["page"], row["start"].replace("\\|", "|"), row["why"]


def is_excepted(block: Block) -> bool:
    return any(block.page == page and block.text.startswith(start) for page, start, _ in exceptions())


def runnable_blocks(page: str, language: str) -> list[str]:
    """What the test runs of a page."""
    return [block.text for block in blocks(page) if block.language == language and not is_excepted(block)]

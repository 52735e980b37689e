"""README, changelog and docs are without the phrases that make a reader stop, and their prose is wrapped."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {ROOT / "docs" / "grants.md"}
PAGES = sorted({ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")} - GENERATED)
TICS = {
    r"\b(is|are|was|were) told\b": "name who says it: 'the answer shows'",
    r"\btells of\b": "'lists', 'reports'",
    r"\b(is|are) none\b": "'does not exist'",
    r"\bto be had\b": "'available'",
    r"\bbeside\b": "'next to', 'besides', 'with', 'while'",
    r"\b(begin|begins|made|make|created) anew\b": "'resets', 'again'",
    r"\b(go|goes|going|gone) on with\b": "'resumes'",
    r"\bof (its|their) own\b(?! \w)": "'separate', 'its own …'",
    r"\bwhat came of\b": "'the result'",
    r"\bnobody asked for\b": "'not requested'",
    r"\bstands? against\b": "'blocks'",
    r"\bwhoever does\b": "'the one who'",
}
MAX_WIDTH = 160


def prose(page: Path) -> str:
    """The page without code blocks and inline code, lines kept."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", lambda code: "`" + "\n" * code[0].count("\n") + "`", text)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_phrase_makes_a_reader_stop(page: Path) -> None:
    found = [
        f"line {number}: {match[0]!r}; better: {better}"
        for number, line in enumerate(prose(page).splitlines(), 1)
        for tic, better in TICS.items()
        if (match := re.search(tic, line, re.IGNORECASE))
    ]

    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_prose_is_wrapped(page: Path) -> None:
    lines = prose(page).splitlines()

    assert [n for n, line in enumerate(lines, 1) if len(line) > MAX_WIDTH and not line.startswith("|")] == []


def test_each_phrase_is_found_where_it_stands() -> None:
    sentences = (
        "He is told so.", "It tells of jobs.", "There are none.", "It is not to be had.", "It lies beside it.",
        "It begins anew.", "It is gone on with.", "A role of its own.", "what came of it", "nobody asked for it",
        "What is there stands against it.", "Whoever does that.",
    )  # fmt: skip

    assert [re.search(tic, said, re.IGNORECASE) is not None for tic, said in zip(TICS, sentences, strict=True)] == [
        True
    ] * len(TICS)

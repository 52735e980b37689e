"""Docs and texts in code are without the phrases that make a reader stop, and the docs' prose is wrapped."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {ROOT / "docs" / "grants.md"}
PAGES = sorted({ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")} - GENERATED)
TICS = {
    r"\b(is|are|was|were) told\b": "name who says it: 'the answer shows'",
    r"\btells of\b": "'lists', 'reports'",
    r"(?<!there )\b(is|are) (?-i:none)\b": "'does not exist'",
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
CODE_TICS = {
    **TICS,
    r"\bended jobs?\b": "'finished job'",
    r"\bdeclared were\b": "'declared: …'",
    r"\b(be|been|being) told\b": "name who says it",
    r"\bfor ever\b": "'forever'",
}
# Folders of the product whose docstrings, messages and comments are held to it.
CODE = [
    ROOT / folder
    for folder in (
        "benchmarks",
        "checks",
        "demo_models",
        "generate_on_cloud",
        "inference_container",
        "infrastructure",
        "lambdas",
        "local_cloud",
    )
]
MODULES = sorted(module for folder in CODE for module in folder.rglob("*.py"))
MAX_WIDTH = 160


def prose(page: Path) -> str:
    """The page without code blocks and inline code, lines kept."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`", lambda code: "`" + "\n" * code[0].count("\n") + "`", text)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def texts(module: Path) -> str:
    """The strings and comments of a module on the lines where they begin, without code in backticks and braces.

    A string of one word is a key or a value, not text.
    """
    lines: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(module.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            for number, line in enumerate(
                re.sub(r"`[^`\n]*`|\{[^{}]*\}", "`", token.string).splitlines(), token.start[0]
            ):
                lines[number] = f"{lines.get(number, '')} {line}"
    return "\n".join(lines.get(number, "") for number in range(1, max(lines, default=0) + 1))


def stops(text: str, tics: dict[str, str]) -> list[str]:
    return [
        f"line {number}: {match[0]!r}; better: {better}"
        for number, line in enumerate(text.splitlines(), 1)
        for tic, better in tics.items()
        if (match := re.search(tic, line, re.IGNORECASE))
    ]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_phrase_makes_a_reader_stop(page: Path) -> None:
    assert stops(prose(page), TICS) == []


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_no_text_in_code_makes_a_reader_stop(module: Path) -> None:
    assert stops(texts(module), CODE_TICS) == []


def test_texts_in_code_are_docstrings_messages_and_comments_and_no_names(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Told\n\nof `beside`."""\n\nbeside = 1  # it lies beside\n'
        'raise ValueError(f"{beside} is none")\nat = "beside"\n',
        encoding="utf-8",
    )

    assert [said.split(";")[0] for said in stops(texts(module), CODE_TICS)] == [
        "line 5: 'beside'",
        "line 6: 'is none'",
    ]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_prose_is_wrapped(page: Path) -> None:
    lines = prose(page).splitlines()

    assert [n for n, line in enumerate(lines, 1) if len(line) > MAX_WIDTH and not line.startswith("|")] == []


def test_each_phrase_is_found_where_it_stands() -> None:
    sentences = (
        "He is told so.", "It tells of jobs.", "He is none.", "It is not to be had.", "It lies beside it.",
        "It begins anew.", "It is gone on with.", "A role of its own.", "what came of it", "nobody asked for it",
        "What is there stands against it.", "Whoever does that.",
    )  # fmt: skip

    assert [re.search(tic, said, re.IGNORECASE) is not None for tic, said in zip(TICS, sentences, strict=True)] == [
        True
    ] * len(TICS)
    assert stops("There is none. It is None.", TICS) == []

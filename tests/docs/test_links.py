"""Every relative link of the documents leads to a file or heading that exists, and so does every path they name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "demo_models" / "README.md", *ROOT.glob("docs/**/*.md")]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a `#` may name, as GitHub derives it from the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The page's links that lead nowhere."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


def missing(page: Path) -> list[str]:
    """Paths of our folders that stand in backticks and do not exist."""
    folders = "|".join(path.name for path in ROOT.iterdir() if (path / "__init__.py").exists())
    named = re.findall(rf"`((?:{folders}|docs|tests)/[\w./-]*)`", prose(page))
    return [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_path_a_page_names_exists(page: Path) -> None:
    assert missing(page) == []


def test_a_link_to_a_missing_file_or_heading_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n[a](page.md#one) [b](#two) [c](gone.md) [d](https://example.com/x)\n```\n[e](code.md)\n```\n"
    )

    assert broken(page) == ["#two", "gone.md"]


def test_a_path_that_is_gone_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`lambdas/api/`, `lambdas/gone.py`, `docs/api.md`, `tests/gone/`, `a/b`, `lambdas/api: x`\n")

    assert missing(page) == ["lambdas/gone.py", "tests/gone/"]

"""`docs/testing.md` against the tests: what it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")

    lists = re.findall(r"`(tests/\S+\.py)`: ((?:`test_\w+`(?:, )?)+)", page)
    named = [(path, name) for path, names in lists for name in re.findall(r"\w+", names)]

    assert len(named) >= 40
    assert [pair for pair in named if f"def {pair[1]}(" not in (ROOT / pair[0]).read_text(encoding="utf-8")] == []

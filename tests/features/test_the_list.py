"""Every row of the survey has its test."""

import re
from pathlib import Path

ROWS = range(1, 58)


def test_every_row_of_the_survey_of_features_has_a_test_named_after_it() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    named = re.findall(r"^def test_rows?_((?:\d\d_|and_)+)", sources, re.MULTILINE)

    assert {int(number) for name in named for number in re.findall(r"\d\d", name)} == set(ROWS)

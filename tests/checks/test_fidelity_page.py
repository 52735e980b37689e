"""docs/fidelity.md says of everything the API refuses that it does, and of nothing else."""

import re
from pathlib import Path

from checks.fidelity.deliberate import DELIBERATE
from generate_on_cloud.contract.task_params import FIELDS_NOT_SUPPORTED_YET

PAGE = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text(encoding="utf-8")
REFUSED = set(re.findall(r"^\| `([^`]+)` \| (\w+) \|$", PAGE.partition("## Not supported yet")[2], re.MULTILINE))


def test_exactly_what_is_refused_is_listed() -> None:
    assert {(field, "field") for field in FIELDS_NOT_SUPPORTED_YET} == REFUSED, "say so on the page"


def test_every_deliberate_difference_has_its_request_on_the_page() -> None:
    missing = [pattern for pattern in DELIBERATE if f"(`{pattern.partition('*')[0]}" not in PAGE]

    assert missing == []

"""docs/deploy.md has every option of a stage, with its default, and names only commands and outputs there are."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from infrastructure.config import StageConfig

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text()


def options() -> dict[str, str]:
    """Default by option, as the table has them."""
    found: dict[str, str] = {}
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            names, defaults, _ = (cell.strip() for cell in line.strip("|").split("|"))
            listed = re.findall(r"`(\w+)`", names)
            given = defaults.split(", ") if len(listed) > 1 and defaults else [defaults] * len(listed)
            found |= dict(zip(listed, given, strict=True))
    return found


def written(default: object) -> str:
    """A default as the page writes it."""
    if default in (None, "", ()):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_table_has_every_option_and_its_default() -> None:
    wanted = {name: written(field.default) for name, field in StageConfig.model_fields.items()}

    told = {name: default.strip("`") for name, default in options().items()}

    assert told == wanted


def test_every_make_target_the_page_names_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", PAGE, flags=re.MULTILINE))

    assert {"bootstrap", "deploy", "destroy", "diff"} <= named
    assert named <= targets


def test_the_outputs_the_page_reads_are_there(aws: "Assembly") -> None:
    read = set(re.findall(r"  # (\w+)$", PAGE, flags=re.MULTILINE))

    assert read == {"ApiUrl", "AdminKeyParameter"}
    assert read <= aws.template["Outputs"].keys()

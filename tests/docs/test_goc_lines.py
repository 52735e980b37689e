"""Every `goc` line in the documents names commands and options that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from generate_on_cloud.cli.command import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "demo_models" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
"""Not the architecture's, which also say what is planned."""
ANYWHERE = {"--help", "-h"}


def lines(page: Path) -> list[str]:
    """The page's `goc` commands: in blocks, after `$(` too, and between backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    in_blocks = [line for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = [
        *(command for line in in_blocks for command in re.findall(r"^(?:\$ |[./\w]*bin/)?(goc .*)", line)),
        *(command for line in in_blocks for command in re.findall(r"\$\((goc [^)]*)", line)),
        *re.findall(r"`(goc [^`]*)`", prose),
    ]
    return [re.split(r" [#>|] ?", command)[0].replace("\n", " ").strip() for command in found]


def wrong(command: str) -> str | None:
    """What of the command does not exist."""
    node: Any = get_command(app)
    options = dict.fromkeys(ANYWHERE)
    words = iter(shlex.split(command.replace("…", "X").replace("[", "").replace("]", ""))[1:])
    for word in words:
        known = {name: one for one in node.params for name in (*one.opts, *one.secondary_opts)}
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0].rstrip(",")
            if name not in known and name not in options:
                return f"{command}: {name}"
            if name in known and not known[name].is_flag and "=" not in word:
                next(words, None)
        elif hasattr(node, "commands"):
            name = re.split(r"[|,]", word)[0]
            if name.isupper():
                continue
            if name not in node.commands:
                return f"{command}: {name}"
            node = node.commands[name]
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_goc_line_of_a_page_names_what_exists(page: Path) -> None:
    assert [fault for command in lines(page) if (fault := wrong(command))] == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("goc jobs list --limit 5", None),
        ("goc --profile home me", None),
        ("goc job list", "goc job list: job"),
        ("goc jobs list --statsu failed", "goc jobs list --statsu failed: --statsu"),
        ("goc txt2img fox --hires", "goc txt2img fox --hires: --hires"),
    ],
)
def test_a_command_or_option_that_does_not_exist_is_found(command: str, fault: str | None) -> None:
    assert wrong(command) == fault

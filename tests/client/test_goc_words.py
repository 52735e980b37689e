"""Nobody at a command line is advised to send a request: the API's advice becomes a command."""

import ast
import re
from pathlib import Path

import pytest

from generate_on_cloud.cli.words import in_commands

ROOT = Path(__file__).parents[2]
REQUEST = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) /v1/")


def advice() -> list[str]:
    """Every text of the functions and the container that names a request, without docstrings."""
    found = []
    for folder in ("lambdas", "inference_container", "generate_on_cloud/contract"):
        for module in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(module.read_text(encoding="utf-8"))
            prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            found += [
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
                and id(node) not in prose and REQUEST.search(node.value)
            ]  # fmt: skip
    return found


def test_there_is_advice_to_translate() -> None:
    assert len(advice()) >= 5


@pytest.mark.parametrize("text", advice())
def test_every_advice_of_the_api_is_a_command_at_the_command_line(text: str) -> None:
    assert "goc " in in_commands(text)
    assert REQUEST.search(re.sub(r"`goc api [^`]*`", "", in_commands(text))) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Start again with POST /v1/assets.", "Start again with `goc assets upload`."),
        ("(GET /v1/assets?type=checkpoint lists them)", "(`goc assets list --type checkpoint` lists them)"),
        ("create one: POST /v1/me/webhook-secret", "create one: `goc webhooks secret`"),
        ("no tagger exists; upload one: POST /v1/assets", "no tagger exists; upload one: `goc assets upload`"),
        ("list it in `trusted` (PATCH /v1/me)", "list it in `trusted` (`goc me update`)"),
        ("send `POST /v1/inputs` first", "send `goc api POST /v1/inputs` first"),
        ("nothing here", "nothing here"),
    ],
)
def test_requests_become_commands(text: str, said: str) -> None:
    assert in_commands(text) == said
    assert in_commands(said) == said

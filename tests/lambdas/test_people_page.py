"""The requests of docs/access.md work as they are written there."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.lambdas.clients import client_of
from tests.lambdas.cloud import KEYS, Cloud

PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_request_of_the_page_is_answered(cloud: Cloud) -> None:
    requests = [
        found.groups()
        for block in blocks("sh")
        for found in re.finditer(r"^api (?P<method>[A-Z]+) (?P<path>/\S+)(?: '(?P<body>[^']*)')?", block, re.MULTILINE)
    ]
    posted = [found[1] for block in blocks("sh") for found in re.finditer(r"curl .* -d '([^']+)'", block)]

    assert len(requests) == 4
    for method, path, body in requests:
        assert cloud.ask(method, path, body, user="root").status in {200, 201}, (method, path)
    assert [cloud.ask("POST", "/v1/sessions", body).status for body in posted] == [201]
    assert cloud.ask("GET", "/v1/users/anna", user="root").ok()["disabled"] is True


def test_the_python_of_the_page_runs(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    with client_of(cloud, KEYS["root"]) as client:
        names: dict[str, Any] = {"cloud": client}

        for program in blocks("python"):
            exec(compile(program, str(PAGE), "exec"), names)

        ben, student = client.users.get("ben"), client.roles.get("student")
    assert student.assets is None
    assert (ben.role, ben.quotas.jobs_per_day, ben.disabled) == ("reader", None, True)
    assert re.match(r"\['tag:training', 'type:checkpoint'\]\ncode_\S+\ngoc_\S+\n", capsys.readouterr().out)

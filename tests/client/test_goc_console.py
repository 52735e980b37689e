"""`goc console` opens the web console by a link with a one-time code behind `#`, which no server sees."""

import webbrowser

import pytest

from tests.client.goc import Goc
from tests.client.small_service import SmallService

CODE = {"code": "code_abc", "user": "ada", "expires_at": "2026-11-30T12:00:00Z"}
ASKED = {"POST /v1/sessions/codes": (201, CODE)}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    links: list[str] = []

    def open_link(link: str) -> bool:
        links.append(link)
        return True

    monkeypatch.setattr(webbrowser, "open", open_link)
    return links


def test_it_opens_the_link_and_prints_nothing(goc: Goc, service: SmallService, opened: list[str]) -> None:
    said = goc("console", **ASKED)

    assert (said.code, said.out) == (0, "")
    assert opened == [f"{service.environment()['GOC_URL']}/#code=code_abc"]


def test_where_no_browser_opens_the_link_is_printed(goc: Goc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)

    assert "/#code=code_abc" in goc("console", **ASKED).err


def test_an_invitation_is_printed_and_opened_by_nobody_here(goc: Goc, service: SmallService, opened: list[str]) -> None:
    said = goc("console", "--invite", "ada", **ASKED)

    assert said.out.strip().endswith("/#code=code_abc")
    assert opened == []
    assert ("POST", "/v1/sessions/codes", {"user": "ada"}) in service.asked


def test_a_printed_link_leaves_time_to_read_it(goc: Goc, service: SmallService, opened: list[str]) -> None:
    said = goc("console", "--no-browser", **ASKED)

    assert said.out.strip().endswith("/#code=code_abc")
    assert opened == []
    assert ("POST", "/v1/sessions/codes", {"minutes": 15}) in service.asked


def test_in_json_it_also_says_for_whom_and_until_when(goc: Goc, opened: list[str]) -> None:
    said = goc("console", "--no-browser", "--json", **ASKED)

    assert said.document["user"] == "ada"
    assert said.document["expires_at"].startswith("2026-11-30T12:00:00")
    assert opened == []

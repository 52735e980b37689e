"""Which service a call of `goc` uses: profiles, the environment, `--url`; and what a wrong URL or key is told."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import NotLoggedInError, WrongUrlError
from generate_on_cloud.client.login import Login, find_login, keep_login, login_file, read_logins
from tests.client.goc import Goc
from tests.client.small_service import SmallService, problem

ME: dict[str, Any] = {
    "user": "ada", "role": "artist", "permissions": [], "quotas": {}, "key_id": "k", "key_expires_at": None,
}  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, str]:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    keep_login(Login(url="http://one", api_key="k1"), login_file(environment), profile="one")
    keep_login(Login(url="http://two", api_key="k2"), login_file(environment), profile="two")
    return environment


FOUND: list[tuple[dict[str, str], dict[str, str], tuple[str, str]]] = [
    ({}, {}, ("http://two", "k2")),
    ({}, {"profile": "one"}, ("http://one", "k1")),
    ({"GOC_PROFILE": "one"}, {}, ("http://one", "k1")),
    ({"GOC_PROFILE": "one"}, {"profile": "two"}, ("http://two", "k2")),
    ({"GOC_URL": "http://env", "GOC_API_KEY": "e"}, {}, ("http://env", "e")),
    ({"GOC_URL": "http://env", "GOC_API_KEY": "e"}, {"profile": "one"}, ("http://one", "k1")),
    ({"GOC_URL": "http://env", "GOC_API_KEY": "e"}, {"url": "http://three"}, ("http://three", "e")),
    ({"GOC_URL": "http://one/"}, {}, ("http://one/", "k1")),
    ({}, {"url": "http://one"}, ("http://one", "k1")),
]


@pytest.mark.parametrize(("environment", "chosen", "expected"), FOUND)
def test_what_the_caller_names_comes_before_the_environment_and_that_before_the_profiles(
    kept: dict[str, str], environment: dict[str, str], chosen: dict[str, str], expected: tuple[str, str]
) -> None:
    found = find_login(kept | environment, **chosen)

    assert (found.url, found.api_key) == expected


@pytest.mark.parametrize(
    ("environment", "chosen", "said"),
    [
        ({}, {"url": "http://three"}, "no key is saved for http://three"),
        ({"GOC_URL": "http://three"}, {}, "no key is saved for http://three"),
        ({}, {"profile": "tow"}, r"no profile 'tow' \(saved: one, two\)"),
    ],
)
def test_no_key_is_sent_to_a_url_it_was_not_saved_for(
    kept: dict[str, str], environment: dict[str, str], chosen: dict[str, str], said: str
) -> None:
    with pytest.raises(NotLoggedInError, match=said):
        find_login(kept | environment, **chosen)


def test_a_login_of_version_0_2_is_the_default_profile(tmp_path: Path) -> None:
    path = login_file({"XDG_CONFIG_HOME": str(tmp_path)})
    path.parent.mkdir()
    path.write_text(json.dumps({"url": "http://old", "api_key": "k"}))

    assert find_login({"XDG_CONFIG_HOME": str(tmp_path)}).url == "http://old"
    keep_login(Login(url="http://new", api_key="n"), path, profile="new")
    assert sorted(read_logins(path).profiles) == ["default", "new"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_profiles_are_made_switched_shown_and_forgotten(
    service: SmallService, goc: Goc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOC_URL")
    monkeypatch.delenv("GOC_API_KEY")
    service.answers["GET /v1/me"] = (200, ME)
    for name in ("home", "team"):
        assert goc("auth", "login", "--url", service.url, "--api-key", name, "--profile", name).code == ExitCode.DONE

    assert "* " in goc("auth", "status", "--no-json").out
    assert goc("auth", "switch", "home").out == f"home: {service.url}\n"
    assert goc("auth", "status", "--json").document["profiles"][0]["in_use"] is True
    assert goc("--profile", "team", "auth", "status", "--json").document["profiles"][1]["in_use"] is True
    assert goc("auth", "logout", "--json").document == {"forgotten": ["home"], "current": "team"}
    assert goc("auth", "logout", "--all", "--json").document == {"forgotten": ["team"], "current": None}
    assert "not logged in" in goc("jobs", "list").err


def test_a_key_without_any_permission_can_log_in(service: SmallService, goc: Goc) -> None:
    refused = {"GET /v1/endpoints": problem(403, "forbidden"), "GET /v1/me": (200, ME)}

    said = goc("login", "--url", service.url, "--api-key", "narrow", **refused)

    assert said.out == f"logged in to {service.url} as ada (artist)\n"


ELSEWHERE: list[tuple[int, bytes, str]] = [
    (404, b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>", "HTTP 404 with application/xml"),
    (403, b"<html>Forbidden</html>", "HTTP 403 with"),
    (403, b'{"message": "Missing Authentication Token"}', "HTTP 403 with"),
    (403, b'{"__type": "MissingAuthenticationToken", "message": "not signed"}', "HTTP 403 with"),
    (404, b'{"message": "Not Found"}', "HTTP 404 with"),
    (200, b"<html>Welcome to nginx!</html>", "HTTP 200 with"),
    (302, b"", "HTTP 302 with"),
]


@pytest.mark.parametrize(("status", "body", "said"), ELSEWHERE)
def test_another_program_at_the_url_is_one_line_of_help(
    service: SmallService, goc: Goc, status: int, body: bytes, said: str
) -> None:
    kind = "application/xml" if body.startswith(b"<?xml") else "text/html"
    service.raw["/v1/jobs"] = (status, body, kind)

    ended = goc("jobs", "list", "--no-json")

    assert ended.err.startswith(f"goc: {service.url} is not the URL of Generate on Cloud: {said}")
    assert "GOC_URL" in ended.err
    assert ended.err.count("\n") == 1
    assert ended.code == ExitCode.NOT_ALLOWED


@pytest.mark.parametrize("url", ["127.0.0.1:4747", "ftp://a.example", "https://", "https://a.example/prod?x=1"])
def test_what_is_no_url_of_an_api_is_named(url: str) -> None:
    with pytest.raises(WrongUrlError, match="is not the URL of Generate on Cloud: it must"):
        GenerateOnCloud(url, "k")


def test_a_url_may_end_in_the_version_or_a_slash(service: SmallService) -> None:
    service.answers["GET /v1/me"] = (200, ME)
    for url in (service.url, f"{service.url}/", f"{service.url}/v1", f"{service.url}/v1/"):
        with GenerateOnCloud(url, "k") as cloud:
            assert cloud.me.get().user == "ada"


def test_a_wrong_key_is_one_line_that_names_the_service(service: SmallService, goc: Goc) -> None:
    said = goc("jobs", "list", "--no-json", **{"GET /v1/jobs": problem(401, "unauthorized")})

    assert said.err == (
        f"goc: the key is wrong, expired or revoked at {service.url}: `goc auth login` saves another "
        "(GOC_API_KEY goes first)\n"
    )


def test_a_narrowed_key_is_told_what_it_may_do(goc: Goc) -> None:
    status, refused = problem(403, "forbidden")
    assert isinstance(refused, dict)
    detail = "This needs the permission inference:list; your key (user 'ada') has: none."

    said = goc("jobs", "list", "--no-json", **{"GET /v1/jobs": (status, {**refused, "detail": detail})})

    assert "the permission inference:list" in said.err
    assert "`goc me` shows what this key may do" in said.err
    assert said.err.count("\n") == 1


def test_the_defaults_file_keeps_comments_and_refuses_what_it_does_not_know(goc: Goc, tmp_path: Path) -> None:
    path = tmp_path / "generate-on-cloud" / "config.toml"
    path.parent.mkdir()
    path.write_text('# mine\ncheckpoint = "old"\n[params]\n# small\nwidth = 512\n[profiles.team]\nendpoint = "fast"\n')

    goc("config", "set", "checkpoint", "new")
    goc("config", "set", "params.width", "64")
    goc("config", "unset", "out")

    assert "# mine" in path.read_text()
    assert "# small" in path.read_text()
    shown = goc("config", "--json").document
    assert (shown["checkpoint"], shown["params"], shown["endpoint"]) == ("new", {"width": 64}, None)
    assert goc("--profile", "team", "config", "--json").document["endpoint"] == "fast"
    assert (
        "received 'chekpoint'; allowed: checkpoint, endpoint, out, name, params.FIELD"
        in goc("config", "set", "chekpoint", "x").err
    )
    path.write_text("chekpoint = 1\n")
    assert "chekpoint: Extra inputs are not permitted; allowed: checkpoint" in goc("config").err
    path.write_text("=\n")
    assert "is not TOML" in goc("config").err

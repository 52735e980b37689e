"""What the console's function answers: the page, its files with strict headers, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from lambdas.console.handler import make_resolver

ORIGINS = "https://jobs.s3.eu-west-1.amazonaws.com https://assets.s3.eu-west-1.amazonaws.com"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "console").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>日本語</title>")
    (tmp_path / "console" / "index-abc.js").write_text("export {}")
    (tmp_path / "console" / "index-abc.css").write_text("body {}")
    (tmp_path / "console" / "secret.pem").write_text("never served")
    return tmp_path


def ask(site: Path, path: str, *, public: str | None = None, **headers: str) -> dict[str, Any]:
    event = {"path": path, "headers": headers, "requestContext": {"path": public or f"/prod{path}"}}
    return make_resolver(site, ORIGINS)(event)


def test_the_root_is_the_page_and_browsers_ask_for_it_again(site: Path) -> None:
    answer = ask(site, "/")

    assert (answer["statusCode"], answer["body"]) == (200, "<!doctype html><title>日本語</title>")
    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert answer["headers"]["Cache-Control"] == "no-cache"


def test_an_unchanged_page_is_not_sent_again(site: Path) -> None:
    tag = ask(site, "/")["headers"]["ETag"]

    assert (
        ask(site, "/", **{"If-None-Match": tag})["statusCode"],
        ask(site, "/", **{"if-none-match": "x"})["statusCode"],
    ) == (
        304,
        200,
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("index-abc.js", "text/javascript; charset=utf-8"), ("index-abc.css", "text/css; charset=utf-8")]
)
def test_files_with_their_hash_in_the_name_are_kept_for_ever(site: Path, name: str, kind: str) -> None:
    answer = ask(site, f"/console/{name}")

    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, kind)
    assert answer["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    [
        "/console/secret.pem",
        "/console/none.js",
        "/console/../index.html",
        "/console/../../lambdas/settings.py",
        "/console/%2e%2e/index.html",
        "/index.html",
    ],
)
def test_nothing_else_is_served(site: Path, path: str) -> None:
    answer = ask(site, path)

    assert (answer["statusCode"], answer["body"]) == (404, "Not found\n")


def test_the_stages_address_without_a_slash_leads_to_the_one_with_it(site: Path) -> None:
    answer = ask(site, "/", public="/prod")

    assert (answer["statusCode"], answer["headers"]["Location"]) == (302, "/prod/")


def test_a_bundle_without_the_built_files_says_so(tmp_path: Path) -> None:
    answer = ask(tmp_path / "absent", "/")

    assert answer["statusCode"] == 200
    assert "make console" in answer["body"]


@pytest.mark.parametrize("path", ["/", "/console/index-abc.js", "/console/none.js"])
def test_every_answer_forbids_scripts_requests_and_frames_of_other_hosts(site: Path, path: str) -> None:
    headers = ask(site, path)["headers"]
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))

    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["connect-src"] == f"'self' {ORIGINS}"
    assert not re.search(r"\*|http:", headers["Content-Security-Policy"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"

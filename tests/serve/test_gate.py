"""Only programs of this machine may make the server spend money, and web pages only if they are named."""

import asyncio
import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from generate_on_cloud.serve.form_login import MAX_FORM, MAX_TOKENS
from generate_on_cloud.serve.gate import Gate, Rules
from tests.serve.asgi_client import Answer, ask

PAGE = "https://paint.example"


async def _open(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"user": scope["user"]})(scope, receive, send)


def asked(rules: Rules, method: str = "POST", body: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(ask(Gate(_open, rules), method, "/sdapi/v1/txt2img", body, headers=named))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:7860"}, 200),
        ({"host": "LOCALHOST"}, 200),
        ({"host": "[::1]:7860"}, 200),
        ({"host": "127.5.5.5"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:7860"}, 403),
        ({"host": "192.168.1.2:7860"}, 403),
        ({"host": ""}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:7860"}, 403),
        ({"origin": PAGE}, 200),
        ({"origin": PAGE, "sec_fetch_site": "cross-site"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 200),
        ({"content_type": "application/json; charset=utf-8"}, 200),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_type": "text/plain"}, 415),
    ],
)
def test_a_request_passes_only_if_no_foreign_page_can_have_sent_it(headers: dict[str, str], status: int) -> None:
    assert asked(Rules(origins=frozenset({PAGE})), body={}, **headers).status == status


def test_a_post_without_a_body_needs_no_content_type_and_a_body_does() -> None:
    assert asked(Rules()).status == 200
    assert asked(Rules(), content_type="application/x-www-form-urlencoded").status == 415
    assert asked(Rules(), body=b"x", content_type="").status == 415


@pytest.mark.parametrize(("origin", "allowed"), [(PAGE, True), ("https://evil.example", False)])
def test_a_preflight_is_answered_for_named_pages_only(origin: str, *, allowed: bool) -> None:
    answer = asked(
        Rules(origins=frozenset({PAGE}), logins={"a": "b"}), "OPTIONS", origin=origin,
        access_control_request_headers="content-type, authorization",
    )  # fmt: skip

    assert answer.status == (204 if allowed else 403)
    assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
    assert answer.headers.get("access-control-allow-headers") == ("content-type, authorization" if allowed else None)


def test_a_named_page_can_read_the_answer_and_the_refusal() -> None:
    rules = Rules(origins=frozenset({PAGE}))

    for answer in (asked(rules, body={}, origin=PAGE), asked(rules, body=b"x", origin=PAGE, content_type="text/plain")):
        assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        (basic("anna:secret"), 200),
        (basic("anna:wrong"), 401),
        (basic("anna:"), 401),
        (basic(":"), 401),
        (basic("nobody:secret"), 401),
        (basic("nobody:"), 401),
        ("Basic ?", 401),
        ("Bearer secret", 401),
    ],
)
def test_with_logins_every_request_needs_a_user_and_password(authorization: str, status: int) -> None:
    answer = asked(Rules(logins={"anna": "secret"}), body={}, authorization=authorization)

    assert answer.status == status
    assert answer.json["detail" if status == 401 else "user"] == (
        "Incorrect username or password" if status == 401 else "anna"
    )


@pytest.mark.parametrize("wrong", [{"any_host": True}, {"origins": frozenset({"*"})}])
def test_rules_that_would_let_everybody_in_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"needs logins|allowed: origins by name"):
        Rules(**wrong)


def test_with_logins_the_server_may_be_called_by_any_name() -> None:
    rules = Rules(logins={"anna": "secret"}, any_host=True)

    assert asked(rules, body={}, host="studio.local:7860", authorization=basic("anna:secret")).status == 200


def test_with_keys_that_the_app_checks_the_server_may_be_called_by_any_name_but_not_by_pages_or_forms() -> None:
    rules = Rules(own_keys=True, any_host=True)

    assert asked(rules, body={}, host="x.execute-api.eu-west-1.amazonaws.com").status == 200
    assert asked(rules, body={}, origin=PAGE).status == 403
    assert asked(rules, body={}, content_type="text/plain").status == 415


FORM = "application/x-www-form-urlencoded"
ANNA = Rules(logins={"anna": "secret: é&"}, origins=frozenset({PAGE}))


def posted(gate: Gate, path: str, form: dict[str, str], **headers: str) -> Answer:
    """What the gate answers to a form; `headers` overwrite."""
    sent = {"content-type": FORM} | {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(ask(gate, "POST", path, urlencode(form).encode(), headers=sent))


RIGHT = {"username": "anna", "password": "secret: é&"}


@pytest.mark.parametrize(
    ("rules", "path", "form", "headers", "status"),
    [
        (ANNA, "/login", RIGHT, {}, 200),
        (ANNA, "/login", RIGHT | {"grant_type": "password"}, {}, 200),
        (ANNA, "/login", RIGHT, {"content_type": f"{FORM}; charset=utf-8"}, 200),
        (ANNA, "/login", RIGHT, {"origin": PAGE}, 200),
        (ANNA, "/login", RIGHT | {"password": "wrong"}, {}, 400),
        (ANNA, "/login", RIGHT | {"password": ""}, {}, 400),
        (ANNA, "/login", {"username": "nobody", "password": ""}, {}, 400),
        (ANNA, "/login", {"username": "anna"}, {}, 422),
        (ANNA, "/login", {}, {}, 422),
        (ANNA, "/login", RIGHT | {"more": "x" * MAX_FORM}, {}, 413),
        (ANNA, "/login", RIGHT, {"content_type": "multipart/form-data; boundary=x"}, 415),
        (ANNA, "/login", RIGHT, {"content_type": "text/plain"}, 415),
        # Nothing that the gate refuses elsewhere passes here.
        (ANNA, "/login", RIGHT, {"origin": "https://evil.example"}, 403),
        (ANNA, "/login", RIGHT, {"origin": "null"}, 403),
        (ANNA, "/login", RIGHT, {"sec_fetch_site": "cross-site"}, 403),
        (ANNA, "/login", RIGHT, {"host": "evil.example"}, 403),
        # No other route takes a form, and without logins this one does not either.
        (ANNA, "/sdapi/v1/txt2img", RIGHT, {}, 401),
        (ANNA, "/sdapi/v1/txt2img", RIGHT, {"authorization": basic("anna:secret: é&")}, 415),
        (ANNA, "/login/", RIGHT, {"authorization": basic("anna:secret: é&")}, 415),
        (Rules(), "/login", RIGHT, {}, 415),
    ],
)
def test_a_form_logs_in_only_at_login_and_only_with_the_password(
    rules: Rules, path: str, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = posted(Gate(_open, rules), path, form, **headers)

    assert answer.status == status
    assert ("set-cookie" in answer.headers) == (status == 200)


def test_the_cookie_of_a_login_lets_in_where_the_password_would() -> None:
    gate = Gate(_open, ANNA)

    answer = posted(gate, "/login", RIGHT)

    assert answer.json == {"success": True}
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert {flag.lower() for flag in flags} == {"httponly", "path=/", "samesite=strict"}
    again = posted(gate, "/login", RIGHT).headers["set-cookie"].partition(";")[0]
    assert again != cookie
    assert len(cookie) > 40
    for sent, headers, status in (
        ({"cookie": cookie}, {}, 200),
        ({"cookie": f"theme=dark; {again}"}, {}, 200),
        ({"cookie": f"{cookie}x"}, {}, 401),
        ({"cookie": "access-token="}, {}, 401),
        ({}, {}, 401),
        ({"cookie": cookie}, {"authorization": basic("anna:wrong")}, 401),
        ({"cookie": cookie}, {"origin": "https://evil.example"}, 403),
        ({"cookie": cookie}, {"sec-fetch-site": "same-site"}, 403),
        ({"cookie": cookie}, {"content-type": FORM}, 415),
    ):
        found = asyncio.run(ask(gate, "POST", "/sdapi/v1/txt2img", {}, headers=sent | headers))
        assert found.status == status, (sent, headers)
        assert status != 200 or found.json == {"user": "anna"}
    assert asyncio.run(ask(Gate(_open, ANNA), "GET", "/", headers={"cookie": cookie})).status == 401


def test_a_bot_that_logs_in_before_every_request_keeps_its_latest_logins() -> None:
    gate = Gate(_open, ANNA)

    cookies = [posted(gate, "/login", RIGHT).headers["set-cookie"].partition(";")[0] for _ in range(MAX_TOKENS + 1)]

    seen = [asyncio.run(ask(gate, "GET", "/", headers={"cookie": cookies[place]})).status for place in (0, 1, -1)]
    assert seen == [401, 200, 200]

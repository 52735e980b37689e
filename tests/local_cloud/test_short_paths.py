"""The port's root is the API and the console; requests to AWS services keep their paths."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from local_cloud.asgi import Message, Receive, Scope, Send, sandboxed
from local_cloud.short_paths import ShortPaths

STAGE = "/restapis/abc/prod/_user_request_"


def asked(path: str, *, method: str = "GET", query: str = "", **headers: str) -> tuple[Scope | None, list[Message]]:
    """The request that reached the services, and what was answered."""
    seen: list[Scope] = []
    sent: list[Message] = []

    async def services(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    paths = ShortPaths(services)
    paths.stage_path = STAGE
    named = {"host": "127.0.0.1:4747", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }

    async def serve() -> None:
        await paths(scope, receive, send)

    asyncio.run(serve())
    return (seen[0] if seen else None), sent


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/console/index-abc.js"),
        ("GET", "/v1/health"),
        ("POST", "/v1/jobs"),
        ("OPTIONS", "/v1/jobs"),
        ("GET", "/v1/users/é"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1:4747", "127.0.0.1"])
def test_the_consoles_and_the_apis_paths_are_those_of_the_stage(method: str, path: str, host: str) -> None:
    reached, _ = asked(path, method=method, host=host)

    assert reached is not None
    assert (reached["path"], reached["raw_path"]) == (STAGE + path, (STAGE + quote(path)).encode())


@pytest.mark.parametrize(
    ("method", "path", "query", "headers"),
    [
        ("POST", "/", "", {}),
        ("PUT", "/", "", {}),
        ("GET", "/", "", {"authorization": "AWS4-HMAC-SHA256 Credential=x"}),
        ("GET", "/", "X-Amz-Signature=0", {}),
        ("GET", "/v1/apis", "", {"authorization": "AWS4-HMAC-SHA256 Credential=x"}),
        ("GET", "/v1/object", "X-Amz-Algorithm=AWS4-HMAC-SHA256", {}),
        ("GET", "/v1", "", {}),
        ("GET", "/consoles/x", "", {}),
        ("GET", "/jobs-bucket/x", "", {}),
        ("GET", "/_ministack/health", "", {}),
        ("GET", f"{STAGE}/v1/me", "", {}),
        ("GET", "/v1/me", "", {"host": "evil.example"}),
        ("GET", "/v1/me", "", {"host": "v1.s3.localhost:4747"}),
    ],
)
def test_everything_else_keeps_its_path(method: str, path: str, query: str, headers: dict[str, str]) -> None:
    reached, _ = asked(path, method=method, query=query, **headers)

    assert reached is not None
    assert reached["path"] == path


def test_the_page_is_always_opened_under_the_address_that_presigned_urls_have() -> None:
    reached, sent = asked("/", host="localhost:4747")

    assert reached is None
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"location"]) == (307, b"http://127.0.0.1:4747/")


def test_the_api_answers_under_the_machines_name_too() -> None:
    reached, _ = asked("/v1/health", host="localhost:4747")

    assert reached is not None
    assert reached["path"] == f"{STAGE}/v1/health"


def test_stored_files_run_no_script_though_they_share_the_consoles_origin() -> None:
    sent: list[Message] = []

    async def storage(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<script>"})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def serve() -> None:
        await sandboxed(storage)({"type": "http"}, receive, send)

    asyncio.run(serve())

    headers = dict(sent[0]["headers"])
    assert headers[b"content-security-policy"] == b"sandbox"
    assert headers[b"x-content-type-options"] == b"nosniff"

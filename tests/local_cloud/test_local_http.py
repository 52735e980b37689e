"""Answers of the local cloud over HTTP are what HTTP allows."""

import asyncio
import base64

import httpx
import pytest

from local_cloud.asgi import Message, Receive, Scope, Send, ask, without_bodies_of_204
from tests.local_cloud.tiny_stack import Tiny


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [(204, b"", {"x-kept": "1"}), (200, b"{}", {"x-kept": "1", "content-length": "2"})],
)
def test_an_answer_without_content_has_no_body_and_no_length(status: int, body: bytes, headers: dict[str, str]) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": status}
        await send({**start, "headers": [(b"X-Kept", b"1"), (b"Content-Length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}", "more_body": False})

    answer = asyncio.run(ask(without_bodies_of_204(app), "OPTIONS", "/", port=1, headers={}, body=b""))

    assert (answer.status, answer.body, dict(answer.headers)) == (status, body, headers)


@pytest.mark.parametrize(
    ("sent", "coded"), [(b'{"a": "\xe9"}', True), ('{"a": "é"}'.encode(), False), (b"\xff\xfe", True), (b"{}", False)]
)
def test_a_body_reaches_the_function_as_it_was_sent(shared: Tiny, sent: bytes, *, coded: bool) -> None:
    got = httpx.post(f"{shared.cloud.api_url}/", content=sent, headers={"content-type": "application/json"}).json()

    assert got["coded"] is coded
    assert (base64.b64decode(got["body"]) if coded else got["body"].encode()) == sent


def test_the_gateway_adds_no_cors_headers_to_what_a_function_answers(shared: Tiny) -> None:
    """As on AWS: with a proxy integration they are the function's own."""
    answer = httpx.get(f"{shared.cloud.api_url}/", headers={"Origin": "https://webui.example"})

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]

"""Answers of the local cloud over HTTP are what HTTP allows."""

import asyncio

import pytest

from local_cloud.asgi import Message, Receive, Scope, Send, ask, without_bodies_of_204


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

"""Asks an ASGI app in the test's own event loop; a client may leave before its answer."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

HOST = "127.0.0.1:7860"


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.content)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: dict[str, str] | None = None,
    leaves: asyncio.Event | None = None,
) -> Answer:
    """The app's answer; `leaves`: the client closes its connection when this is set."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if body is None else {"content-type": "application/json"}
    sent = {"host": HOST, "content-length": str(len(content)), **kind, **(headers or {})}
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": query.encode(), "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
    }  # fmt: skip
    answer, left = Answer(), leaves or asyncio.Event()
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.content += message.get("body", b"")

    await app(scope, receive, send)
    return answer

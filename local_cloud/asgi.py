"""The ASGI interface: its types, and how to send a request to an app inside this process."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
NO_CONTENT = 204


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of an AWS service to a request made inside this process."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def without_bodies_of_204(app: AsgiApp) -> AsgiApp:
    """`app`, but its answers with status 204 have neither a body nor its length, as HTTP requires (RFC 9110, 8.6).

    ministack's preflight answers have the body `{}`, which a client on a kept connection would read as the next answer.
    """

    async def clean(scope: Scope, receive: Receive, send: Send) -> None:
        empty = False

        async def sent(message: Message) -> None:
            nonlocal empty
            if message["type"] == "http.response.start" and message["status"] == NO_CONTENT:
                empty = True
                headers = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body" and empty:
                message = {**message, "body": b""}
            await send(message)

        await app(scope, receive, sent)

    return clean


def sandboxed(app: AsgiApp) -> AsgiApp:
    """`app`, whose answers run no script: stored files share their origin with the web console on this machine."""
    headers = [(b"content-security-policy", b"sandbox"), (b"x-content-type-options", b"nosniff")]

    async def harmless(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        await app(scope, receive, sent)

    return harmless


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(chunks)


def replayed(body: bytes) -> Receive:
    """A request's body again, for the app that is to read it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def ask(app: AsgiApp, method: str, path: str, *, port: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The app's answer to one request, as if it had been sent to 127.0.0.1:`port`."""
    sent = {"host": f"127.0.0.1:{port}", "content-length": str(len(body)), **headers}
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": quote(path, safe="/~").encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", port),
    }
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    replies: list[Message] = []

    async def receive() -> Message:
        return requests.pop(0) if requests else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        replies.append(message)

    await app(scope, receive, send)
    return Answer(
        status=replies[0]["status"],
        headers={name.decode().lower(): value.decode() for name, value in replies[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in replies[1:]),
    )

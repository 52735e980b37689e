"""Long polls of the API (`?wait=`): a few wait in the function, all others here, where waiting takes no process."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl, urlencode

from local_cloud.asgi import AsgiApp, Receive, Scope, Send, replayed

LONGEST_SECONDS: Final = 25.0
"""The API's own limit; whatever asks for more is refused by it."""


def waiting_outside(app: AsgiApp, *, inside: int) -> AsgiApp:
    """`app`, which sees at most `inside` waiting requests at a time; the others reach it when their time is over.

    They are then answered at once, with what has become of the job by then.
    """
    places = asyncio.Semaphore(inside)

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        seconds = _seconds(dict(query).get("wait", ""))
        if scope["type"] != "http" or scope["method"] != "GET" or seconds is None:
            await app(scope, receive, send)
        elif not places.locked():
            async with places:
                await app(scope, receive, send)
        elif await _stays(receive, seconds):
            now = [(name, "0" if name == "wait" else value) for name, value in query]
            await app({**scope, "query_string": urlencode(now).encode()}, replayed(b""), send)

    return waiting


def _seconds(text: str) -> float | None:
    """How long a request wants to wait; None if that is not what its `wait` says."""
    if not text.isdecimal() or not text.isascii() or len(text) > 2:
        return None
    seconds = float(text)
    return seconds if 0 < seconds <= LONGEST_SECONDS else None


async def _stays(receive: Receive, seconds: float) -> bool:
    """Whether the client is still there after that many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False

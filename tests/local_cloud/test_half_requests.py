"""Connections that begin a request and do not finish it cost little, for a short time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest
import uvicorn

from local_cloud.half_requests import bounded_requests

HEAD = b"POST /things HTTP/1.1\r\nhost: localhost\r\n"
LENGTH = b"content-length: 6\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PATIENCE = 20.0


async def _echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Answers with the body that it received."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Served:
    """A server of `_echo` with short bounds, and the connections to it."""

    def __init__(self, **bounds: Any) -> None:
        config = uvicorn.Config(_echo, port=0, lifespan="off", log_config=None, http=bounded_requests(**bounds))
        self._server = uvicorn.Server(config)
        self._opened: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._config = self._server.config
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup()
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self._opened:
            writer.close()
        await self._server.shutdown()

    async def connect(self, *sent: bytes) -> Streams:
        (socket,) = self._server.servers[0].sockets
        reader, writer = await asyncio.open_connection(*socket.getsockname()[:2])
        self._opened.append(writer)
        for piece in sent:
            writer.write(piece)
            await writer.drain()
        return reader, writer


async def _all_of(streams: Streams) -> bytes:
    """Everything until the other side closes."""
    return await asyncio.wait_for(streams[0].read(), PATIENCE)


async def _answer(streams: Streams) -> bytes:
    """The head of an answer and its body of six bytes."""
    head = await asyncio.wait_for(streams[0].readuntil(b"\r\n\r\n"), PATIENCE)
    return head + await asyncio.wait_for(streams[0].readexactly(6), PATIENCE)


UNFINISHED: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "nothing": ((), b""),
    "half a line": ((b"GET /th",), b"HTTP/1.1 408 "),
    "half a head": ((HEAD,), b"HTTP/1.1 408 "),
    "a head and no body": ((HEAD + LENGTH,), b""),
    "a head and half a body": ((HEAD + LENGTH, b"abc"), b""),
    "half a second request": ((HEAD + LENGTH + b"abcdef", HEAD), b"HTTP/1.1 200 "),
}


@pytest.mark.parametrize("what", UNFINISHED)
def test_a_request_that_does_not_come_to_an_end_is_given_up(what: str) -> None:
    sent, begins = UNFINISHED[what]

    async def told() -> bytes:
        async with Served(head_seconds=0.05, body_seconds=0.05) as served:
            return await _all_of(await served.connect(*sent))

    answer = asyncio.run(told())

    assert answer.startswith(begins)
    assert bool(answer) is bool(begins)


def test_bytes_that_trickle_in_do_not_give_a_head_more_time() -> None:
    async def told() -> bytes:
        async with Served(head_seconds=0.1) as served:
            reader, writer = await served.connect(HEAD)
            while not reader.at_eof():
                try:
                    writer.write(b"x: 1\r\n")
                    await writer.drain()
                except ConnectionError:
                    break
                if await _ended(reader):
                    break
            return b"closed"

    async def _ended(reader: asyncio.StreamReader) -> bool:
        try:
            return b"408" in await asyncio.wait_for(reader.read(100), 0.01)
        except TimeoutError:
            return False

    assert asyncio.run(asyncio.wait_for(told(), PATIENCE)) == b"closed"


def test_a_whole_request_is_answered_however_slowly_its_body_comes() -> None:
    async def told() -> bytes:
        async with Served(head_seconds=2, body_seconds=2) as served:
            streams = await served.connect(HEAD + LENGTH)
            for piece in (b"a", b"b", b"c", b"d", b"e", b"f"):
                await asyncio.sleep(0.5)
                streams[1].write(piece)
            return await _answer(streams)

    assert asyncio.run(told()).endswith(b"abcdef")


def test_more_unfinished_requests_than_allowed_push_out_the_oldest_and_nobody_who_has_sent_one() -> None:
    async def told() -> tuple[list[bytes], bytes]:
        async with Served(most=3) as served:
            whole = await served.connect(HEAD + LENGTH)
            await asyncio.sleep(0)
            halves = [await served.connect(HEAD) for _ in range(5)]
            pushed = [await _all_of(streams) for streams in halves[:2]]
            whole[1].write(b"abcdef")
            answered = await _answer(whole)
            halves[-1][1].write(LENGTH + b"ghijkl")
            return pushed, answered + await _answer(halves[-1])

    pushed, answered = asyncio.run(told())

    assert all(one == b"" or one.startswith(b"HTTP/1.1 408 ") for one in pushed)
    assert answered.count(b"HTTP/1.1 200 ") == 2
    assert answered.endswith(b"ghijkl")

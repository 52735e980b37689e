"""Requests that are begun and never finished: each has a time, and together they have a number.

uvicorn bounds only how long a connection may idle between requests. A program that opens connections and sends nothing,
or half a request, would otherwise hold sockets and memory of the local cloud for as long as it lives.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""Time for the line and the headers of a request, from the connection or from their first byte on."""
BODY_SECONDS = 60.0
"""Time between two pieces of a body that is waited for."""
MOST_UNFINISHED = 256
"""Requests without all their headers at a time; the one that has waited longest gives way to a newer one."""
_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """What the connections of a server share."""

    head_seconds: float = HEAD_SECONDS
    body_seconds: float = BODY_SECONDS
    most: int = MOST_UNFINISHED
    headless: "OrderedDict[BoundedRequests, None]" = field(default_factory=OrderedDict)
    """Connections that have not sent all headers of their request, the oldest first."""


class BoundedRequests(H11Protocol):
    """uvicorn's HTTP/1.1, which closes a connection at its bound, with 408 if a head was begun."""

    bounds = Bounds()
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # From here on uvicorn's own time for idle connections counts, until the next request begins.
        self._await_nothing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Close the connection."""
        self._await_nothing()
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self.transport.write(_TIMEOUT)
        self.transport.close()

    def _look(self) -> None:
        """Decide what is waited for, by what the other side has sent so far."""
        if self.transport.is_closing():
            self._await_nothing()
        elif self.conn.their_state is h11.SEND_BODY:
            self._await_nothing()
            self._timer = self.loop.call_later(self.bounds.body_seconds, self._body_is_late)
        elif self.conn.their_state is not h11.IDLE:
            self._await_nothing()
        elif self not in self.bounds.headless and self.conn.trailing_data[0]:
            self._await_head()

    def _await_head(self) -> None:
        self._await_nothing()
        self.bounds.headless[self] = None
        self._timer = self.loop.call_later(self.bounds.head_seconds, self.give_up)
        while len(self.bounds.headless) > self.bounds.most:
            next(iter(self.bounds.headless)).give_up()

    def _await_nothing(self) -> None:
        self.bounds.headless.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _body_is_late(self) -> None:
        if self.flow.read_paused:  # what was sent is waiting here, for the app
            self._timer = self.loop.call_later(self.bounds.body_seconds, self._body_is_late)
        else:
            self.give_up()


def bounded_requests(**bounds: Any) -> type[BoundedRequests]:
    """The protocol for `uvicorn.Config(http=…)` of one server; `bounds` are fields of `Bounds`."""
    return type("BoundedRequests", (BoundedRequests,), {"bounds": Bounds(**bounds)})

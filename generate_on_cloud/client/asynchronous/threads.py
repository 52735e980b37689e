"""Calls of the other client from asyncio, each in a thread of the client's own pool."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Item = TypeVar("Item")
Answer = TypeVar("Answer")

AT_ONCE = 64
"""Calls that wait for an answer at once; further ones wait for a thread."""


class Threads:
    """The threads of one client."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="generate-on-cloud")

    async def run(
        self, call: Callable[Parameters, Answer], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Answer:
        """The call's answer. Canceling stops the waiting, not a request that is already on its way."""
        context = contextvars.copy_context()  # the application's span, if it traces
        running = partial(context.run, partial(call, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self._pool, running)

    async def each(
        self, begin: Callable[Parameters, Iterator[Item]], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> AsyncIterator[Item]:
        """What the call yields; the next item is asked for when it is wanted."""
        items = await self.run(begin, *args, **kwargs)
        while found := await self.run(_next, items):
            yield found[0]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """The next item; None after the last."""
    for item in items:
        return (item,)
    return None

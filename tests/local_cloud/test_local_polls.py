"""Long polls wait while everybody else is answered, and a function has a bounded number of processes."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from local_cloud.asgi import Message, Receive, Scope, Send, ask
from local_cloud.ministack import worker_pool
from local_cloud.ministack.worker_pool import WORKERS, WorkerPool
from local_cloud.polls import waiting_outside
from tests.local_cloud.tiny_stack import Tiny

POLLS = 60


def workers_of(shared: Tiny) -> int:
    """Processes of functions; the container is one more child of the cloud."""
    children = psutil.Process(shared.cloud.pid).children(recursive=True)
    return sum("worker" in " ".join(child.cmdline()) for child in children)


def test_many_polls_leave_everybody_else_served_and_few_processes(shared: Tiny) -> None:
    url = f"{shared.cloud.api_url}/"
    httpx.get(url, timeout=30).raise_for_status()

    async def main() -> None:
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=POLLS + 1)) as client:
            polls = [asyncio.create_task(client.get(url, params={"wait": "9"})) for _ in range(POLLS)]
            for _ in range(5):
                assert (await client.get(url)).status_code == 200
            assert not all(poll.done() for poll in polls)
            assert 0 < workers_of(shared) <= WORKERS + 1
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)

    asyncio.run(main())


def test_all_polls_are_answered(shared: Tiny) -> None:
    url, polls = f"{shared.cloud.api_url}/", 2 * WORKERS

    with ThreadPoolExecutor(polls) as threads:
        answers = threads.map(lambda _: httpx.get(url, params={"wait": "1"}, timeout=60), range(polls))

    assert [answer.status_code for answer in answers] == [200] * polls


@pytest.mark.parametrize(
    ("query", "waits"),
    [
        (b"wait=1", True),
        (b"since=x&wait=1", True),
        (b"wait=0", False),
        (b"wait=26", False),
        (b"wait=-1", False),
        (b"wait=1e3", False),
        (b"wait=", False),
        (b"", False),
        (b"waiting=9", False),
    ],
)
def test_only_a_poll_that_the_api_would_take_waits_outside(query: bytes, *, waits: bool) -> None:
    seen: list[bytes] = []
    held = asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope["query_string"])
        if scope["query_string"] == b"wait=9":
            await held.wait()
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        outside = waiting_outside(app, inside=1)

        def asking(query: bytes) -> Any:
            async def with_query(scope: Scope, _receive: Receive, send: Send) -> None:
                messages: list[Message] = [{"type": "http.request", "body": b""}]

                async def staying() -> Message:
                    if not messages:
                        await asyncio.Event().wait()
                    return messages.pop()

                await outside({**scope, "query_string": query}, staying, send)

            return ask(with_query, "GET", "/", port=1, headers={}, body=b"")

        first = asyncio.create_task(asking(b"wait=9"))
        await asyncio.sleep(0)
        second = asyncio.create_task(asking(query))
        for _ in range(5):
            await asyncio.sleep(0)
        seen_at_once = len(seen)
        held.set()
        await asyncio.gather(first, second)
        assert (seen_at_once == 1) is waits

    asyncio.run(main())


def test_who_waits_for_a_worker_gets_one_in_turn_and_is_refused_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "replace", lambda *_: None)
    free, served = threading.Semaphore(1), []
    pool = WorkerPool(seconds=30)
    acquire = pool.queued(lambda name: (name, "reused") if free.acquire(blocking=False) else (None, "func_cap"))
    release = pool.releasing(lambda _: free.release())
    hasty = WorkerPool(seconds=0.01).queued(lambda _: (None, "func_cap"))

    def serve(number: int) -> None:
        worker, _ = acquire("api")
        served.append(number)
        release(worker)

    worker, _ = acquire("api")
    threads = []
    for number in range(10):
        threads.append(threading.Thread(target=serve, args=(number,)))
        threads[-1].start()
        while len(pool._lines["api"]) <= number:
            time.sleep(0.001)
    release(worker)
    for thread in threads:
        thread.join()

    assert served == list(range(10))
    assert hasty("api") == (None, "func_cap")

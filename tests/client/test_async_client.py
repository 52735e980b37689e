"""The client for asyncio is the other one, method by method, and its calls run next to each other."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.client.asynchronous import AsyncGenerateOnCloud
from generate_on_cloud.client.asynchronous.__main__ import HERE, NOUNS, modules
from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import JobNotSucceededError, ProblemError
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from tests.client.small_service import SmallService, job, problem

RESULT: dict[str, object] = {"images": [], "info": {}, "parameters": {}, "caption": None, "models": [], "timings": {}}


def public(one: object) -> dict[str, Any]:
    found = {name: getattr(type(one), name) for name in dir(type(one)) if not name.startswith("_")}
    return {name: method for name, method in found.items() if callable(method)}


def test_what_is_committed_is_what_the_sources_make() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "nouns").glob("*.py")}

    assert committed == modules(), "run python -m generate_on_cloud.client.asynchronous"


@pytest.mark.parametrize("noun", ["", *NOUNS])
def test_every_method_is_there_with_the_same_parameters(noun: str) -> None:
    sync, other = GenerateOnCloud("http://127.0.0.1:9", "k"), AsyncGenerateOnCloud("http://127.0.0.1:9", "k")
    ours, theirs = (getattr(one, noun) if noun else one for one in (sync, other))

    assert public(ours).keys() == public(theirs).keys()
    for name, method in public(ours).items():
        twin = public(theirs)[name]
        assert inspect.signature(method).parameters.keys() == inspect.signature(twin).parameters.keys()
        assert inspect.iscoroutinefunction(twin) or "AsyncIterator" in str(inspect.signature(twin).return_annotation)
    sync.close()
    asyncio.run(other.close())


def test_a_job_is_sent_followed_and_listed(service: SmallService) -> None:
    service.answers.update(
        {
            "POST /v1/jobs": (201, job()),
            "GET /v1/jobs/j1": [(200, job("running")), (200, job("succeeded", result=RESULT))],
            "GET /v1/jobs": [
                (200, {"jobs": [job(job_id="j3")], "next_cursor": "c"}),
                (200, {"jobs": [job(job_id="j2")], "next_cursor": None}),
            ],
        }
    )

    async def main() -> tuple[list[str], list[str]]:
        async with AsyncGenerateOnCloud(service.url, "k") as cloud:
            sent = await cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, params={"prompt": "a fox"}))
            seen = [one.status.value async for one in cloud.jobs.watch(sent.job_id)]
            return seen, [one.job_id async for one in cloud.jobs.list()]

    assert asyncio.run(main()) == (["running", "succeeded"], ["j3", "j2"])


def test_errors_are_those_of_the_other_client(service: SmallService) -> None:
    error = {"code": "bad_image", "message": "a PDF", "retryable": False}
    service.answers["GET /v1/jobs/j1"] = (200, job("failed", error=error))
    service.answers["GET /v1/me"] = problem(403, "forbidden")

    async def main() -> None:
        async with AsyncGenerateOnCloud(service.url, "k") as cloud:
            with pytest.raises(JobNotSucceededError, match="a PDF"):
                await cloud.jobs.finish("j1")
            with pytest.raises(ProblemError, match="forbidden"):
                await cloud.me.get()

    asyncio.run(main())


def test_calls_run_next_to_each_other() -> None:
    together = threading.Barrier(20)

    async def main() -> list[int]:
        threads = Threads()
        try:
            return await asyncio.gather(*(threads.run(together.wait, 60) for _ in range(20)))
        finally:
            threads.close()

    assert sorted(asyncio.run(main())) == list(range(20))


def test_items_are_asked_for_one_by_one_and_none_after_the_last_that_is_wanted() -> None:
    made: list[int] = []

    def count() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    async def main() -> None:
        threads = Threads()
        items: AsyncIterator[int] = threads.each(count)
        async for item in items:
            if item == 2:
                break
        threads.close()

    asyncio.run(main())

    assert made == [0, 1, 2]
    assert Path(HERE / "nouns").is_dir()

"""From the orders of one request to their results: the jobs are begun, waited for, and described in headers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request

from generate_on_cloud.contract.job_bodies import ResultView
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.faces.sdapi import refusals
from generate_on_cloud.faces.sdapi.orders import Order
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.serve.callers import Caller
from generate_on_cloud.serve.work import Work

JOB = "x-generate-on-cloud-job"
"""Header with the ids of the request's jobs."""
IGNORED = "x-generate-on-cloud-ignored"
"""Header that names what was dropped from the request."""
_SHOWN = 40


@dataclass(frozen=True)
class Finished:
    """The results of one request."""

    results: list[ResultView]
    pictures: list[bytes]
    headers: dict[str, str]
    after: BackgroundTask
    """What is done once the client has its answer."""


async def finish(request: Request, caller: Caller, orders: Sequence[Order]) -> Finished:
    """Wait for the jobs of the orders; a client that leaves meanwhile finds them again.

    Raises:
        RefusalError, CloudError: one of them has no result.
    """
    works: list[Work] = []
    try:
        for order in orders:
            works.append(await caller.works.begin(order))  # noqa: PERF401 - those begun count if one is refused
        if not await _ended_before_client_left(request, works):
            raise RefusalError(499, "The client left; the same request within ten minutes finds its job.")
        results = [_result(work) for work in works]
        pictures: list[bytes] = []
        for work, order in zip(works, orders, strict=True):
            if work.job is not None and order.wants_images:
                pictures += await asyncio.to_thread(caller.pictures, work.job)
        for work in works:
            work.was_delivered = True
        return Finished(results, pictures, _headers(works, orders), BackgroundTask(_mark, caller, works))
    finally:
        for work in works:
            work.waiting -= 1


async def _ended_before_client_left(request: Request, works: Sequence[Work]) -> bool:
    ended = asyncio.gather(*(work.done.wait() for work in works))
    left = asyncio.ensure_future(_left(request))
    try:
        both: list[asyncio.Future[Any]] = [ended, left]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return ended.done()
    finally:
        ended.cancel()
        left.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _result(work: Work) -> ResultView:
    if work.error is not None:
        raise work.error
    if work.job is not None and not work.has_ended:
        raise refusals.not_yet(work.job)
    if work.job is None or work.job.status is not JobStatus.SUCCEEDED or work.job.result is None:
        job = work.job
        raise refusals.of_job(
            job.job_id if job else "?", job.status if job else JobStatus.FAILED, job.error if job else None
        )
    return work.job.result


def _mark(caller: Caller, works: Sequence[Work]) -> None:
    for work in works:
        caller.works.mark_delivered(work)


def _headers(works: Sequence[Work], orders: Sequence[Order]) -> dict[str, str]:
    dropped = [fault.pointer.lstrip("/") for order in orders for fault in order.dropped]
    return {JOB: ", ".join(work.job.job_id for work in works if work.job), **ignoring(dropped)}


def ignoring(names: Sequence[str]) -> dict[str, str]:
    """The header that names what was dropped, in the letters that a header may have."""
    unique = list(dict.fromkeys(names))
    more = [f"and {len(unique) - _SHOWN} more"] if len(unique) > _SHOWN else []
    said = ", ".join([*unique[:_SHOWN], *more]).encode("ascii", "replace").decode()
    return {IGNORED: "".join(letter if letter.isprintable() else "?" for letter in said)} if unique else {}

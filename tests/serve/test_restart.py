"""A `goc serve` that was ended and started again finds the jobs of the one before."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.serve.finishing import JOB
from tests.serve.webui_server import CHANCE, FIXED, Server, run

TXT2IMG = "/sdapi/v1/txt2img"
BOTH = pytest.mark.parametrize("body", [FIXED, CHANCE])


async def left_behind(body: dict[str, Any], **named: Any) -> Server:
    """A server whose client has gone before its job ended."""
    server, gone = Server(**named), asyncio.Event()
    asking = asyncio.create_task(server.post(TXT2IMG, body, leaves=gone))
    await server.sent(1)
    gone.set()
    await asking
    return server


@BOTH
def test_a_request_joins_the_job_that_still_runs(body: dict[str, Any]) -> None:
    async def test() -> None:
        later = Server(after=await left_behind(body))
        asking = asyncio.create_task(later.post(TXT2IMG, body))
        await asyncio.sleep(0.05)
        later.cloud.end("j1")

        assert (await asking).headers[JOB] == "j1"
        assert len(later.cloud.sent) == 1

    run(test)


@BOTH
def test_a_request_gets_the_pictures_of_the_job_that_has_ended_meanwhile(body: dict[str, Any]) -> None:
    async def test() -> None:
        before = await left_behind(body)
        before.cloud.end("j1")

        assert (await Server(after=before).post(TXT2IMG, body)).headers[JOB] == "j1"

    run(test)


def test_progress_shows_the_job_and_interrupt_cancels_it() -> None:
    async def test() -> None:
        body = {**FIXED, "n_iter": 3, "steps": 7, "force_task_id": "task(7)"}
        later = Server(after=await left_behind(body))

        state = (await later.get("/sdapi/v1/progress")).json["state"]
        assert (state["job_count"], state["sampling_steps"]) == (3, 7)
        assert (await later.get("/internal/pending-tasks")).json == {"size": 1, "tasks": ["task(7)"]}
        await later.post("/sdapi/v1/interrupt")
        assert later.cloud.canceled == ["j1"]

    run(test)


def test_a_picture_of_chance_that_was_delivered_is_drawn_anew() -> None:
    async def test() -> None:
        before = Server()
        await before.drawn(CHANCE)

        assert (await Server(after=before).drawn(CHANCE)).headers[JOB] == "j2"

    run(test)


@pytest.mark.parametrize(
    "changed",
    [
        {"called": "pc:7870"},
        {"name": "ben"},
        {"status": JobStatus.FAILED},
        {"age": timedelta(minutes=11)},
        {"body": FIXED | {"seed": 6}},
    ],
    ids=str,
)
def test_another_servers_or_callers_a_failed_an_old_and_another_requests_job_is_not_taken(
    changed: dict[str, Any],
) -> None:
    async def test() -> None:
        before = await left_behind(FIXED)
        before.cloud.age = changed.get("age", timedelta())
        before.cloud.end("j1", changed.get("status", JobStatus.SUCCEEDED))
        later = Server(after=before, called=changed.get("called", "pc:7860"))
        later.name = changed.get("name", "")

        assert (await later.drawn(changed.get("body", FIXED))).headers[JOB] == "j2"

    run(test)


def test_a_job_that_was_sent_again_does_not_answer_the_request() -> None:
    async def test() -> None:
        before = await left_behind(FIXED)
        before.cloud.end("j1")
        before.cloud.resend("j1")

        assert (await Server(after=before).post(TXT2IMG, FIXED)).headers[JOB] == "j1"

    run(test)


def test_what_is_known_already_is_not_looked_up() -> None:
    async def test() -> None:
        server = Server()
        await server.drawn(FIXED)
        asked = server.cloud.listings
        await server.post(TXT2IMG, FIXED)
        await server.get("/sdapi/v1/progress")

        assert server.cloud.listings == asked

    run(test)

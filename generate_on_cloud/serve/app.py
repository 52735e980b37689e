"""The routes of WebUI's API: each reads the request, lets the pure functions translate it, and answers."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from generate_on_cloud.client.errors import CloudError, ConnectionLostError, ProblemError
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.faces.sdapi import answers, refusals, watching
from generate_on_cloud.faces.sdapi.control import CONTROL_LISTS, detect
from generate_on_cloud.faces.sdapi.lists import DONE_ALREADY, LISTS, NOT_HERE
from generate_on_cloud.faces.sdapi.orders import (
    batch_orders,
    drawing_order,
    extras_order,
    interrogation_order,
)
from generate_on_cloud.faces.sdapi.picture_info import png_info_answer
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.serve.callers import Caller
from generate_on_cloud.serve.finishing import finish, ignoring
from generate_on_cloud.serve.page import PAGE
from generate_on_cloud.serve.work import Work

_LOG = logging.getLogger(__name__)

MAX_BODY = 256 * 1024**2
_SDAPI = "/sdapi/v1/"

Answer = tuple[Any, dict[str, str]]
Handler = Callable[[Request, Caller], Awaitable[Answer]]


def make_app(caller_of: Callable[[Request], Caller]) -> ASGIApp:
    """The whole API; `caller_of` finds who asks."""
    posts: Mapping[str, Handler] = {
        f"{_SDAPI}txt2img": _drawing(Task.TXT2IMG),
        f"{_SDAPI}img2img": _drawing(Task.IMG2IMG),
        f"{_SDAPI}extra-single-image": _extras,
        f"{_SDAPI}extra-batch-images": _batch,
        f"{_SDAPI}interrogate": _interrogate,
        f"{_SDAPI}png-info": _png_info,
        f"{_SDAPI}interrupt": _interrupt,
        f"{_SDAPI}skip": _skip,
        f"{_SDAPI}options": _set_options,
        "/controlnet/detect": _detect,
        **{path: _done_already(answer) for path, answer in DONE_ALREADY.items()},
    }
    gets: Mapping[str, Handler] = {
        f"{_SDAPI}progress": _progress,
        f"{_SDAPI}options": _options,
        "/internal/pending-tasks": _pending,
        "/login_check": _login_check,
        **{path: _list(make) for path, make in {**LISTS, **CONTROL_LISTS}.items()},
    }
    routes = [
        *(Route(path, _answering(handler, caller_of), methods=["POST"]) for path, handler in posts.items()),
        *(Route(path, _answering(handler, caller_of), methods=["GET"]) for path, handler in gets.items()),
        Route("/internal/progress", _answering(_internal_progress, caller_of), methods=["GET", "POST"]),
        Route("/", _page, methods=["GET"]),
        Route("/docs", _page, methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})


def _answering(handler: Handler, caller_of: Callable[[Request], Caller]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        own_key = False
        try:
            caller = caller_of(request)
            own_key = caller.own_key
            said, headers = await handler(request, caller)
        except RefusalError as error:
            return _refused(request, error)
        except ProblemError as error:
            return _refused(request, refusals.of_problem(error.problem, own_key=own_key))
        except ConnectionLostError as error:
            return _refused(request, RefusalError(refusals.CLOUD_AWAY, f"The cloud cannot be reached: {error}"))
        except CloudError as error:
            return _refused(request, RefusalError(refusals.CLOUD_FAILED, str(error)))
        return JSONResponse(said, headers=headers, background=getattr(request.state, "after", None))

    return answer


def _refused(request: Request, error: RefusalError) -> Response:
    _LOG.warning("%s refused (%d): %s", request.url.path, error.status, error.detail)
    headers = {"www-authenticate": "Basic"} if error.status == refusals.WHO else {}
    return JSONResponse(error.document(), status_code=error.status, headers={**headers, **error.headers})


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise RefusalError(413, f"received more than {MAX_BODY // 1024**2} MiB")
    try:
        body = json.loads(content or b"{}")
    except ValueError as error:
        raise RefusalError(refusals.REQUEST_INVALID, f"The body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusalError(refusals.REQUEST_INVALID, f"received a JSON {type(body).__name__}; allowed: an object")
    return body


def _drawing(task: Task) -> Handler:
    async def draw(request: Request, caller: Caller) -> Answer:
        body = await _body(request)
        order = await caller.files.reading(lambda shelf: drawing_order(task, body, caller.settings, shelf))
        if order.checkpoint:
            caller.remember(order.checkpoint)
        done = await finish(request, caller, [order])
        request.state.after = done.after
        return answers.drawing_answer(order, done.results[0], done.pictures), done.headers

    return draw


async def _extras(request: Request, caller: Caller) -> Answer:
    order = extras_order(await _body(request))
    done = await finish(request, caller, [order])
    return answers.extras_answer(done.results[0], done.pictures), done.headers


async def _batch(request: Request, caller: Caller) -> Answer:
    done = await finish(request, caller, batch_orders(await _body(request)))
    return answers.batch_answer(done.results, done.pictures), done.headers


async def _interrogate(request: Request, caller: Caller) -> Answer:
    order = interrogation_order(await _body(request), caller.settings)
    done = await finish(request, caller, [order])
    return answers.interrogation_answer(done.results[0]), done.headers


async def _png_info(request: Request, _: Caller) -> Answer:
    return await asyncio.to_thread(png_info_answer, await _body(request)), {}


async def _detect(request: Request, _: Caller) -> Answer:
    return await asyncio.to_thread(detect, await _body(request)), {}


async def _interrupt(_: Request, caller: Caller) -> Answer:
    await caller.works.recall()
    for job_id in caller.works.to_interrupt():
        await asyncio.to_thread(caller.cloud().jobs.cancel, job_id)
    return {}, {}


async def _skip(_: Request, caller: Caller) -> Answer:
    await caller.works.recall()
    work = caller.works.current()
    if work is None or work.job is None or work.job.status is not JobStatus.RUNNING:
        return None, {}  # WebUI forgets it when the next batch begins
    try:
        await asyncio.to_thread(caller.cloud().jobs.skip, work.job.job_id)
    except ProblemError as error:
        if error.problem.code is not ProblemCode.JOB_STATE_CONFLICT:
            raise  # else it has just ended
    return None, {}


async def _options(_: Request, caller: Caller) -> Answer:
    return caller.settings.shown(await caller.files.shelf()), {}


async def _set_options(request: Request, caller: Caller) -> Answer:
    body = await _body(request)
    caller.settings, idle = await caller.files.reading(lambda shelf: caller.settings.changed(body, shelf))
    return None, ignoring(idle)


async def _progress(request: Request, caller: Caller) -> Answer:
    with_image = request.query_params.get("skip_current_image", "false").lower() not in ("true", "1")
    await caller.works.recall()
    watched = await _watched(caller, caller.works.current(), with_image=with_image)
    return watching.progress_document(watched, now=datetime.now(UTC), with_image=with_image), {}


async def _internal_progress(request: Request, caller: Caller) -> Answer:
    asked = await _body(request) if request.method == "POST" else dict(request.query_params)
    await caller.works.recall()
    work = caller.works.of_task(str(asked.get("id_task", "")))
    live = str(asked.get("live_preview", "true")).lower() not in ("false", "0")
    watched = None if work is None or work.has_ended else await _watched(caller, work, with_image=live)
    now = datetime.now(UTC)
    seen = _number(asked.get("id_live_preview"))
    known = work is not None
    return watching.internal_document(watched, known=known, now=now, live_preview=live, seen=seen), {}


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return watching.NO_PREVIEW


async def _watched(caller: Caller, work: Work | None, *, with_image: bool) -> watching.Watched | None:
    if work is None or work.has_ended:
        return None
    preview = await asyncio.to_thread(caller.preview, work) if with_image else None
    return watching.Watched(work.job, work.note.batches, work.note.steps, preview)


async def _pending(_: Request, caller: Caller) -> Answer:
    await caller.works.recall()
    tasks = [work.note.task_id for work in caller.works.pending() if work.note.task_id]
    return {"size": len(tasks), "tasks": tasks}, {}


async def _login_check(_: Request, __: Caller) -> Answer:
    return None, {}


def _done_already(answer: Any) -> Handler:
    async def nothing_to_do(_: Request, caller: Caller) -> Answer:
        caller.files.forget()
        return answer, {}

    return nothing_to_do


def _list(make: Callable[[Any], Any]) -> Handler:
    async def listed(_: Request, caller: Caller) -> Answer:
        return make(await caller.files.shelf()), {}

    return listed


async def _page(_: Request) -> Response:
    return HTMLResponse(PAGE, headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"})


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    path = request.url.path
    why = next(
        (reason for beginning, reason in NOT_HERE.items() if path.startswith(beginning)), "there is no such route"
    )
    detail = f"{request.method} {path[:200]}: {why}" if status == 404 else f"{request.method} is not allowed at {path}"
    return JSONResponse(RefusalError(status, detail).document(), status_code=status)

"""SageMaker's container contract over HTTP: `/ping` and `/invocations` for one worker or a pool of workers.

Nothing here imports torch at the top level, so that `/ping` answers at once and `main` can set the environment before
torch loads. Run it with `python -m inference_container.server`.
"""

import asyncio
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from generate_on_cloud.contract.errors import JOB_ERRORS, JobError, JobErrorCode
from generate_on_cloud.contract.messages import JobFailure, JobResult
from inference_container.allocator import ALLOCATOR, draws_with_cpu
from inference_container.cache_directory import why_unusable
from inference_container.json_log import start_logging
from inference_container.settings import ContainerSettings
from inference_container.worker_pool import WAITED_HEADER, WorkerPool

log = logging.getLogger(__name__)


class JobRunner(Protocol):
    """What the server needs of a worker."""

    def answer(self, document: bytes, *, waited: float) -> JobResult | JobFailure: ...

    def preload(self, key: str) -> None: ...

    def stop(self, reason: str) -> None: ...


class Jobs(Protocol):
    """What runs the jobs behind the HTTP server: a `JobLine`, or a `WorkerPool` of several processes."""

    def open(self) -> object: ...

    def state(self) -> str: ...

    async def run(self, document: bytes, *, received: float) -> JobResult | JobFailure: ...

    def stop_jobs(self, reason: str) -> None: ...

    async def close(self) -> None: ...


class JobLine:
    """One thread that builds the worker and then runs one job at a time; other jobs wait in line."""

    def __init__(self, make_worker: Callable[[], JobRunner], *, preload: str = "") -> None:
        """`preload` is the key of a checkpoint that the worker loads before its first job."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker")
        self._make_worker = make_worker
        self._worker: Future[JobRunner] | None = None
        self._preload = preload

    def open(self) -> Future[JobRunner]:
        self._worker = worker = self._thread.submit(self._make_worker)
        if self._preload:
            self._thread.submit(lambda: worker.result().preload(self._preload))
        return worker

    def state(self) -> str:
        """`starting`, `ready`, or the error."""
        if self._worker is None or not self._worker.done():
            return "starting"
        error = self._worker.exception()
        return "ready" if error is None else f"{type(error).__name__}: {error}"

    async def run(self, document: bytes, *, received: float) -> JobResult | JobFailure:
        """Run the job in `document`, which arrived at `received` (monotonic), when its turn comes."""
        worker = self._worker
        if worker is None:
            raise RuntimeError("the line is not open")

        def answer() -> JobResult | JobFailure:
            return worker.result().answer(document, waited=time.monotonic() - received)

        return await asyncio.get_running_loop().run_in_executor(self._thread, answer)

    def stop_jobs(self, reason: str) -> None:
        """Stop the running job at its next step and refuse the jobs in line."""
        if self.state() == "ready" and self._worker is not None:
            self._worker.result().stop(reason)

    async def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


class NoJobs:
    """Replaces the workers of a container that cannot run any, so that /ping keeps giving the reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def open(self) -> None:
        """Do nothing."""

    def state(self) -> str:
        return self._reason

    async def run(self, document: bytes, *, received: float) -> JobFailure:  # noqa: ARG002 - no job is looked at
        return JobFailure(error=JobError.of(JobErrorCode.INTERNAL, self._reason))

    def stop_jobs(self, reason: str) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def create_app(line: Jobs, *, max_request_bytes: int) -> Starlette:
    """The app; its lifespan opens and closes `line`."""

    async def ping(_: Request) -> Response:
        state = line.state()
        return JSONResponse({"status": state}, status_code=200 if state == "ready" else 503)

    async def invocations(request: Request) -> Response:
        # The header gives how long the document waited before it reached this worker of a pool.
        received = time.monotonic() - float(request.headers.get(WAITED_HEADER, 0))
        try:
            document = await _body(request, max_request_bytes)
        except ClientDisconnect:
            return Response(status_code=400)  # the client has gone and will not read it
        if document is None:
            return _failure(
                JobFailure(
                    error=JobError.of(
                        JobErrorCode.INVALID_PARAMS,
                        f"the request document is larger than the {max_request_bytes} bytes allowed",
                    )
                ),
                status=413,
            )
        if line.state() != "ready":
            return _failure(
                JobFailure(error=JobError.of(JobErrorCode.INTERNAL, f"the worker is not ready: {line.state()}")),
                status=503,
            )
        answer = await line.run(document, received=received)
        if isinstance(answer, JobFailure):
            return _failure(answer, status=JOB_ERRORS[answer.error.code].http_status)
        return Response(answer.model_dump_json(), media_type="application/json")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        line.open()
        try:
            yield
        finally:
            await line.close()

    return Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])], lifespan=lifespan
    )


async def _body(request: Request, max_bytes: int) -> bytes | None:
    """The whole body, or None as soon as it is too large."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def _failure(failure: JobFailure, *, status: int) -> Response:
    return Response(failure.model_dump_json(), status_code=status, media_type="application/json")


class ContainerServer(uvicorn.Server):
    """uvicorn that lets a running job finish within the grace period before the process exits."""

    def __init__(self, config: uvicorn.Config, line: Jobs, *, grace_seconds: float) -> None:
        super().__init__(config)
        self._line = line
        self._grace_seconds = grace_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        timer = threading.Timer(self._grace_seconds, self._line.stop_jobs, ["the container was stopped"])
        timer.daemon = True
        timer.start()
        super().handle_exit(sig, frame)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _choose_line(
    settings: ContainerSettings, make_worker: Callable[[], JobRunner], stop_serving: Callable[[], None]
) -> Jobs:
    unusable = why_unusable(settings.CACHE_DIR)
    if unusable is not None:
        log.error("no job can run: %s", unusable)
        return NoJobs(unusable)
    if settings.WORKERS == 1:
        return JobLine(make_worker, preload=settings.PRELOAD)
    return WorkerPool(settings, broken=stop_serving)


def main() -> None:
    """Serve until SIGTERM or SIGINT; the exit status is 1 if the worker could not start."""
    # torch and the hub's client read these once, at import: spinning OpenMP threads slow down a busy machine, and
    # nothing may be downloaded at run time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ["HF_HUB_OFFLINE"] = "1"
    began = time.time()
    start_logging()
    settings = ContainerSettings.from_environment()
    if draws_with_cpu(settings.DEVICE):
        ALLOCATOR.keep_freed_memory()
    if settings.TIED:
        threading.Thread(target=_end_with_input, name="tied", daemon=True).start()
    # Objects created by imports are permanent; collecting garbage among them would take a sixth of the start.
    gc.disable()
    broken = threading.Event()

    def libraries_imported(error: BaseException | None) -> None:
        gc.freeze()
        gc.enable()
        if error is not None:
            log.error("the model libraries cannot be imported", exc_info=error)
            broken.set()
            server.should_exit = True

    def make_worker() -> JobRunner:
        try:
            from inference_container.assembly import build_worker

            return build_worker(settings, imported=libraries_imported, began=began)
        except Exception:
            log.exception("the worker could not start")
            server.should_exit = True
            raise

    def stop_serving() -> None:
        server.should_exit = True

    line = _choose_line(settings, make_worker, stop_serving)
    app = create_app(line, max_request_bytes=settings.MAX_REQUEST_BYTES)
    config = uvicorn.Config(app, host=settings.HOST, port=settings.PORT, log_config=None, access_log=False)
    server = ContainerServer(config, line, grace_seconds=settings.SHUTDOWN_SECONDS)
    try:
        server.run()
    except KeyboardInterrupt:
        sys.exit(130)
    if broken.is_set() or line.state() != "ready":
        sys.exit(1)


if __name__ == "__main__":
    main()

"""One worker process per GPU behind one HTTP server: jobs go to a free worker, and dead workers are restarted."""

import asyncio
import http.client
import logging
import os
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Self

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.messages import JobFailure, JobResult
from inference_container.request_document import ids_of, limit_of
from inference_container.settings import ContainerSettings

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "inference_container.server")
MAX_STARTS = 3
"""Consecutive attempts to restart a worker that has run before."""
PING_SECONDS = 0.2
WAITED_HEADER = "x-waited-seconds"
"""Header with how long a document has waited for a worker process; the run's time limit includes that time."""
MOST_SECONDS = 3600
"""SageMaker's longest time limit of a run."""
STUCK_SECONDS = 60.0
"""A worker that has not answered so long after the limit is stuck; it ends itself before, if it still can."""
_NO_HEADERS: Mapping[str, str] = {}


class WorkerProcess:
    """A running worker process, which is a server on a local port."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self._port = port
        self.ready = False

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        own = {**environment, "HOST": "127.0.0.1", "PORT": str(port)}
        # Its standard input closes when this process exits, and the worker then exits too.
        return cls(await asyncio.create_subprocess_exec(*command, env=own, stdin=PIPE, stdout=DEVNULL), port)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def until_ready(self) -> bool:
        """Wait for the first successful ping; False if the process exits before."""
        while self.alive:
            with suppress(OSError, http.client.HTTPException):  # the server does not listen yet
                self.ready = (await asyncio.to_thread(self._request, "GET", "/ping", None, 2.0))[0] == 200
            if self.ready:
                return True
            await asyncio.sleep(PING_SECONDS)
        return False

    async def until_ended(self) -> int:
        """Wait for the process to exit; returns its exit status."""
        return await self._process.wait()

    def answer(self, document: bytes, received: float, stuck_seconds: float) -> JobResult | JobFailure:
        """Run a job whose document came at `received` (monotonic).

        Raises:
            OSError, http.client.HTTPException, ValueError: the process died while running it, or did not answer within
                `stuck_seconds` after the run's limit.
        """
        waited = time.monotonic() - received
        left = max(0.0, (limit_of(document) or MOST_SECONDS) - waited) + stuck_seconds
        status, body = self._request("POST", "/invocations", document, left, {WAITED_HEADER: f"{waited:.3f}"})
        return (JobResult if status == 200 else JobFailure).model_validate_json(body)

    def stop(self) -> None:
        """Stop the process; its job stops at the next step."""
        if self.alive:
            self._process.terminate()

    def kill(self) -> None:
        if self.alive:
            self._process.kill()

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        timeout: float | None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class WorkerPool:
    """The counterpart of `server.JobLine` for several workers (`settings.WORKERS`)."""

    def __init__(
        self,
        settings: ContainerSettings,
        *,
        command: Sequence[str] = COMMAND,
        broken: Callable[[], object] = lambda: None,
        stuck_seconds: float = STUCK_SECONDS,
    ) -> None:
        """`broken` is called if a worker cannot be started or restarted; the container is then unusable.

        A worker that does not answer within `stuck_seconds` after the limit of its run is killed and started again.
        """
        self._settings = settings
        self._command = command
        self._broken = broken
        self._stuck_seconds = stuck_seconds
        self._workers: list[WorkerProcess | None] = [None] * settings.WORKERS
        self._have_run: set[int] = set()
        self._fault: str | None = None
        self._stopping: str | None = None
        self._threads = ThreadPoolExecutor(settings.WORKERS, thread_name_prefix="worker")
        self._free: asyncio.Queue[WorkerProcess]
        self._keepers: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Start all workers; call this inside the running event loop."""
        self._free = asyncio.Queue()
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._settings.WORKERS)]

    def state(self) -> str:
        """`starting`, `ready` once all workers have been ready, or the error."""
        if self._fault is not None:
            return self._fault
        return "ready" if len(self._have_run) == self._settings.WORKERS else "starting"

    async def run(self, document: bytes, *, received: float) -> JobResult | JobFailure:
        """Run the job in `document`, which arrived at `received` (monotonic), on the first free worker.

        If a worker dies, only its current job is lost.
        """
        worker = await self._free.get()
        while not worker.alive:
            worker = await self._free.get()
        try:
            answer = await asyncio.get_running_loop().run_in_executor(
                self._threads, worker.answer, document, received, self._stuck_seconds
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            worker.kill()
            ids = ids_of(document)
            reason = self._stopping or f"the worker process of this job died ({type(error).__name__}: {error})"
            log.error("%s", reason, extra={"job_id": ids.job_id, "correlation_id": ids.correlation_id})  # noqa: TRY400
            lost = JobError.of(JobErrorCode.WORKER_LOST, reason)
            return JobFailure(job_id=ids.job_id, error=lost, correlation_id=ids.correlation_id)
        self._free.put_nowait(worker)
        return answer

    def stop_jobs(self, reason: str) -> None:
        """Stop the running jobs at their next step."""
        self._stopping = reason
        for worker in self._workers:
            if worker is not None:
                worker.stop()

    async def close(self) -> None:
        """Stop every worker."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for worker in self._workers:
            if worker is not None:
                worker.kill()
                await worker.until_ended()
        self._threads.shutdown()

    async def _keep(self, number: int) -> None:
        """Keep worker `number` running, and restart it when it exits."""
        starts = 0
        while self._stopping is None:
            worker = self._workers[number] = await WorkerProcess.start(self._command, self._environment(number))
            if await worker.until_ready():
                starts = 0
                self._have_run.add(number)
                self._free.put_nowait(worker)
            status = await worker.until_ended()
            log.error("worker %d exited with status %d", number, status)
            starts += 1
            if number not in self._have_run or starts > MAX_STARTS:
                self._fault = f"worker {number} could not be started: it exited with status {status}"
                self._broken()
                return

    def _environment(self, number: int) -> dict[str, str]:
        """The environment of one worker: one GPU and a share of the RAM for waiting models; all share a disk cache."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        share = min(self._settings.MODEL_CACHE_MAX_BYTES, memory // 2) // self._settings.WORKERS
        own = self._settings.model_copy(
            update={"WORKERS": 1, "TIED": True, "SHUTDOWN_SECONDS": 0.0, "MODEL_CACHE_MAX_BYTES": share}
        )
        outer = {name: value for name, value in os.environ.items() if name not in ContainerSettings.model_fields}
        return {**outer, **own.environment(), "CUDA_VISIBLE_DEVICES": str(number)}

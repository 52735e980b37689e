"""One run of the container server as a subprocess, called as SageMaker calls it: /ping and /invocations."""

import asyncio
import http.client
import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cloud.preflight import free_port
from local_cloud.processes import tied_command
from local_cloud.sagemaker.records import NewInvocation

logger = logging.getLogger("local_cloud.container")

_STOP_SECONDS = 3.0
_PING_SECONDS = 2.0
_LOG_BYTES = 20 * 1024**2


class ContainerLostError(Exception):
    """The container gave no answer; the text says why."""


class ContainerUnreachedError(ContainerLostError):
    """The request never reached the container, so another container may have it."""


class ContainerTimeoutError(ContainerLostError):
    """The container is still working on a request whose time is over."""


@dataclass(frozen=True, kw_only=True)
class ContainerAnswer:
    """What /invocations answered."""

    status: int
    content_type: str
    body: bytes


class Container:
    """A running container. Created by `start`, used until it dies or `stop` is called."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port
        self.died = asyncio.ensure_future(process.wait())
        """Done when the process has ended for any reason."""

    @classmethod
    async def start(
        cls, command: tuple[str, ...], *, environment: Mapping[str, str], folder: Path, log_file: Path
    ) -> "Container":
        """Start `command` in `folder`, its output appended to `log_file`."""
        port = free_port()
        log_file.parent.mkdir(parents=True, exist_ok=True)
        if log_file.exists() and log_file.stat().st_size > _LOG_BYTES:
            log_file.replace(log_file.with_suffix(".1.log"))
        with log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *tied_command(command),
                cwd=folder,
                env={**environment, "HOST": "127.0.0.1", "PORT": str(port)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is meant for the local cloud, which stops the container itself.
                start_new_session=True,
            )
        return cls(process, port)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def until_ready(self, seconds: float) -> None:
        """Wait until /ping answers 200.

        Raises:
            ContainerLostError: it died first, or did not answer within `seconds`.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while not await asyncio.to_thread(self._pings):
            if self.died.done():
                raise ContainerLostError(f"the container exited before it was ready: {self.end()}")
            if asyncio.get_running_loop().time() > deadline:
                raise ContainerLostError(f"the container was not ready after {seconds:.0f} s")
            await asyncio.wait([self.died], timeout=0.1)

    def _pings(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    async def invoke(self, invocation: NewInvocation, body: bytes) -> ContainerAnswer:
        """Send `body` to the container and wait for its answer.

        Raises:
            ContainerUnreachedError: it had died before the request arrived.
            ContainerLostError: it died or closed the connection without an answer.
            ContainerTimeoutError: it works longer than the invocation allows.
        """
        try:
            return await asyncio.to_thread(self._post, invocation, body)
        except TimeoutError as error:
            raise ContainerTimeoutError(
                f"the container did not answer within {invocation.timeout_seconds} s"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            await asyncio.wait([self.died], timeout=_STOP_SECONDS)
            if self.died.done():
                raise ContainerLostError(f"the container died during the request: {self.end()}") from error
            raise ContainerLostError(
                f"the container closed the connection without an answer ({type(error).__name__})"
            ) from error

    def _post(self, invocation: NewInvocation, body: bytes) -> ContainerAnswer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=invocation.timeout_seconds)
        headers = {
            "Content-Type": invocation.content_type,
            "Accept": invocation.accept,
            "X-Amzn-SageMaker-Inference-Id": invocation.inference_id,
        }
        if invocation.custom_attributes:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = invocation.custom_attributes
        try:
            try:
                connection.connect()
            except ConnectionRefusedError as error:
                raise ContainerUnreachedError("the container accepted no connection") from error
            connection.request("POST", "/invocations", body=body, headers=headers)
            response = connection.getresponse()
            return ContainerAnswer(
                status=response.status,
                content_type=response.headers.get("Content-Type", "application/octet-stream"),
                body=response.read(),
            )
        finally:
            connection.close()

    def end(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode
        if code is None:
            return "still running"
        if code < 0:
            try:
                return f"killed by signal {-code} ({signal.Signals(-code).name})"
            except ValueError:
                return f"killed by signal {-code}"
        return f"exit code {code}"

    async def stop(self) -> None:
        """Ask it to exit, and kill it if it does not."""
        for end in (self._process.terminate, self._process.kill):
            if not self.died.done():
                end()
                await asyncio.wait([self.died], timeout=_STOP_SECONDS)

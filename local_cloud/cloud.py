"""A local cloud as an object, for the demo and the tests: runs as a child process and ends with its owner."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local_cloud.faults import NotificationFaults
from local_cloud.preflight import CannotStartError, free_port, lock_state
from local_cloud.root_credential import RootCredential
from local_cloud.settings import CONTAINER_COMMAND, DEFAULT_REGION, REPOSITORY, LocalSettings
from local_cloud.unkindness import Unkindness

START_SECONDS = 300.0
_STOP_SECONDS = 20.0
_REASON_CHARACTERS = 4000


class LocalCloud:
    """The local cloud of one state folder.

    Use it as a context manager, or call `start` and `stop`; `kill` and then `start` simulate a power cut.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int | None = None,
        region: str = DEFAULT_REGION,
        assembly: Path | None = None,
        context: Mapping[str, str] | None = None,
        container_command: tuple[str, ...] = CONTAINER_COMMAND,
        container_environment: Mapping[str, str] | None = None,
        notification_faults: NotificationFaults | None = None,
        unkindness: Unkindness | None = None,
        record_requests: bool = False,
        check_rights: bool = True,
        credential_seconds: float = 3600.0,
    ) -> None:
        """`port` None: any free one, kept when this object restarts. `assembly` None: synthesise the repository.

        `context`: options of the stage.
        `notification_faults`: how unreliable notifications are; None: reliable.
        `unkindness`: None: the usual one.
        `record_requests`: write everything that roles request to `settings.requests_file`.
        `check_rights`: False lets every role do everything, to measure the cost of the checks.
        `credential_seconds`: how long the credentials of functions live at least.
        """
        self.settings = LocalSettings(
            state_dir=state_dir.resolve(),
            port=free_port() if port is None else port,
            region=region,
            assembly=None if assembly is None else assembly.resolve(),
            context=tuple((context or {}).items()),
            container_command=container_command,
            container_environment=tuple((container_environment or {}).items()),
            notification_faults=notification_faults,
            unkindness=unkindness or Unkindness(),
            record_requests=record_requests,
            check_rights=check_rights,
            credential_seconds=credential_seconds,
        )
        self.log_file = self.settings.state_dir / "local-cloud.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, Any] = {}

    @property
    def endpoint_url(self) -> str:
        """Where boto3 reaches the AWS services."""
        return self.settings.endpoint_url

    @property
    def api_url(self) -> str:
        """Base URL of the REST API without a trailing slash; `/v1/...` follows."""
        return self._known("api_url")

    @property
    def admin_key(self) -> str:
        """`x-api-key` of the first administrator."""
        return self._known("admin_key")

    def root(self) -> RootCredential:
        """The credential with all rights in the AWS services of the current run."""
        return RootCredential.read(self.settings.credentials_file)

    @property
    def endpoint_name(self) -> str:
        """The SageMaker endpoint that jobs go to."""
        return self._known("endpoint_name")

    @property
    def outputs(self) -> Mapping[str, str]:
        """Outputs of the deployed stacks."""
        outputs: dict[str, str] = self._ready.get("outputs", {})
        return outputs

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds for each phase of the start: `emulator`, `synthesis`, `deployment`, `endpoint`."""
        timings: dict[str, float] = self._ready.get("timings", {})
        return timings

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise RuntimeError("the local cloud is not running")
        return self._process.pid

    @property
    def is_owner(self) -> bool:
        """Whether this object started the server; an attached one belongs to another process."""
        return self._process is not None

    def start(self, *, seconds: float = START_SECONDS) -> Self:
        """Start the server and wait until everything is deployed and the endpoint is up.

        Raises:
            CannotStartError: with the server's own reason.
        """
        if self._process is not None:
            raise RuntimeError("the local cloud is already running")
        self.settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            began = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own server
                [sys.executable, "-m", "local_cloud", "--stop-with-stdin", *self._arguments()],
                cwd=REPOSITORY,
                env={name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            if self._process.poll() is not None:
                self._release()
                raise CannotStartError(self._said(began) or "the local cloud exited without a message")
            if time.monotonic() > deadline:
                self.stop()
                raise CannotStartError(f"the local cloud was not ready after {seconds:.0f} s: {self._said(began)}")
            time.sleep(0.02)
        return self

    def attach(self) -> bool:
        """Use a local cloud that already runs on this folder, on any port; False if none is ready there.

        An attached cloud belongs to another process: `stop` and `kill` leave it alone.
        """
        try:
            ready = json.loads(self.settings.ready_file.read_text())
            lock_state(self.settings.state_dir).close()
        except FileNotFoundError:
            return False
        except CannotStartError:
            self._ready = ready
            self.settings = replace(self.settings, port=int(ready["endpoint_url"].rsplit(":", 1)[-1]))
            return True
        # Its owner was killed and left the file behind.
        return False

    def stop(self) -> int:
        """Stop everything it started and save its state; returns the server's exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server like a power cut: nothing is saved and nothing is stopped in order."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Stop it properly and start it again."""
        self.stop()
        return self.start()

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            self._release()

    def _release(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

    def _arguments(self) -> list[str]:
        settings = self.settings
        arguments = ["--state-dir", str(settings.state_dir), "--port", str(settings.port), "--region", settings.region]
        if settings.assembly is not None:
            arguments += ["--assembly", str(settings.assembly)]
        if settings.notification_faults is not None:
            arguments += ["--notification-faults", json.dumps(asdict(settings.notification_faults))]
        arguments += ["--unkindness", json.dumps(asdict(settings.unkindness))]
        arguments += ["--credential-seconds", str(settings.credential_seconds)]
        if settings.record_requests:
            arguments.append("--record-requests")
        if not settings.check_rights:
            arguments.append("--without-rights-checks")
        for name, value in settings.context:
            arguments += ["--context", f"{name}={value}"]
        for name, value in settings.container_environment:
            arguments += ["--container-environment", f"{name}={value}"]
        return [*arguments, "--container-command", json.dumps(settings.container_command)]

    def _said(self, began: int) -> str:
        with self.log_file.open("rb") as log:
            log.seek(began)
            return log.read().decode(errors="replace").strip()[-_REASON_CHARACTERS:]

    def _is_ready(self) -> bool:
        """Whether this object's own server has written the ready file; another one may be running on the folder."""
        try:
            self._ready = json.loads(self.settings.ready_file.read_text())
        except FileNotFoundError:
            return False
        return bool(self._ready["pid"] == self.pid)

    def _known(self, name: str) -> str:
        value = self._ready.get(name)
        if value is None:
            raise RuntimeError(f"no {name}: the local cloud is not running, or its stack has none")
        return str(value)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

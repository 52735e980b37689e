"""`goc serve` from its start to its end: sign in, open the port, answer, sign out."""

import contextlib
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ProblemError
from generate_on_cloud.client.login import Login
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.faces.sdapi.settings import CHECKPOINT, Settings
from generate_on_cloud.faces.sdapi.shelf import Shelf
from generate_on_cloud.serve.app import make_app
from generate_on_cloud.serve.callers import Caller, Callers, KeptSettings
from generate_on_cloud.serve.gate import Gate, Rules
from generate_on_cloud.serve.report import JobReport
from generate_on_cloud.serve.session import NarrowSession
from generate_on_cloud.webui.prompt.styles import Style

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - only with --listen, which demands passwords
PORT = 7860
"""WebUI's own, which nearly all clients try first."""
_WAKING = {"prompt": "", "steps": 1, "width": 64, "height": 64, "seed": 0}
_GRACE_SECONDS = 3
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")

Say = Callable[[str], None]


@dataclass(frozen=True)
class ServeOptions:
    """What the command line says."""

    port: int = PORT
    listen: bool = False
    """Answer other machines too; needs logins."""
    logins: Mapping[str, str] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    styles: Mapping[str, Style] = field(default_factory=dict)
    """Of the user's styles.csv."""
    wake: bool = False
    """Start the GPU now."""

    @property
    def rules(self) -> Rules:
        """What the gate lets through.

        Raises:
            ValueError: listen without logins, or an origin that is not allowed.
        """
        if self.listen and not self.logins:
            raise ValueError("--listen needs --api-auth USER:PASSWORD: others would draw at your cost")
        return Rules(logins=self.logins, origins=self.origins, any_host=self.listen)


def read_logins(text: str) -> dict[str, str]:
    """`user:password,user:password`, as WebUI's `--api-auth`.

    Raises:
        ValueError: an entry is not of this form.
    """
    pairs = [entry.strip().partition(":") for entry in text.split(",") if entry.strip()]
    wrong = [name for name, colon, password in pairs if not (name and colon and password)]
    if wrong or not pairs:
        raise ValueError(f"received an entry without a user or password ({wrong[0] if wrong else 'empty'!r}); "
                         "allowed: user:password, several separated by commas")  # fmt: skip
    return {name: password for name, _, password in pairs}


def read_origins(text: str) -> frozenset[str]:
    """`https://page.example,…`, as WebUI's `--cors-allow-origins`.

    Raises:
        ValueError: an entry is no origin.
    """
    origins = frozenset(entry.strip().rstrip("/") for entry in text.split(",") if entry.strip())
    wrong = sorted(one for one in origins if not _ORIGIN.fullmatch(one))
    if wrong:
        raise ValueError(f"received {wrong[0]!r} as an origin; allowed: origins such as https://page.example")
    return origins


def serve(login: Login, options: ServeOptions, *, kept: Path, say: Say) -> None:
    """Answer WebUI's API until Ctrl-C or SIGTERM.

    Args:
        login: the service and the user's own key.
        kept: the file with the callers' options.
        say: prints one line.

    Raises:
        ValueError: the options contradict each other.
        OSError: the port is taken.
        CloudError: the cloud refuses the key or cannot be reached.
    """
    rules = options.rules
    # 1. The port first: without it there is nothing to sign in for.
    with bound(EVERYWHERE if options.listen else LOOPBACK, options.port) as listener:
        session = NarrowSession(login)
        try:
            # 2. A key that can draw and list, and nothing more.
            report = JobReport(say, price_per_hour=_price(login))
            session.cloud()
            settings = KeptSettings(kept, service=login.url)
            app = answering(session.cloud, settings, report, options.styles, server=_name(listener))
            say(_announcement(listener, login, rules))
            if options.wake:
                wake(session.cloud(), settings.get(""), say)
            # 3. Answer until the end.
            _run(Gate(app, rules), listener)
        finally:
            session.end()


def answering(
    cloud: Callable[[], GenerateOnCloud],
    kept: KeptSettings,
    report: JobReport,
    styles: Mapping[str, Style] | None = None,
    *,
    server: str = "",
) -> ASGIApp:
    """The API for everybody whom the gate lets in; `server`: as in `Callers`."""
    callers = Callers(cloud, kept, report, styles, server=server)

    def caller_of(request: Request) -> Caller:
        return callers.named(request.scope.get("user", ""))

    return make_app(caller_of)


def wake(cloud: GenerateOnCloud, settings: Settings, say: Say) -> None:
    """Start the GPU and load the checkpoint, by drawing one tiny picture that nobody waits for."""
    try:
        shelf = Shelf.of(cloud.assets.list())
        checkpoint = shelf.default_checkpoint(chosen=settings.chosen.get(CHECKPOINT), last=settings.last_checkpoint)
        job = cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, checkpoint=checkpoint.name, params=_WAKING))
        say(f"Waking the GPU with {checkpoint.name}: job {job.job_id}.")
    except (CloudError, RefusalError) as error:
        say(f"The GPU was not woken: {error}")


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """The port; whoever connects waits until the server answers.

    Raises:
        OSError: it is taken; the text names it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            reason = f"port {port} cannot be used ({error.strerror}); is a WebUI running? Choose another with --port"
            raise OSError(error.errno, reason) from error
        listener.listen()
        yield listener


def _run(app: ASGIApp, listener: socket.socket) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False,
                            timeout_keep_alive=75, timeout_graceful_shutdown=_GRACE_SECONDS)  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _name(listener: socket.socket) -> str:
    """The same after a restart, and no other running server's."""
    return f"{socket.gethostname()}:{listener.getsockname()[1]}"


def _price(login: Login) -> float | None:
    """Dollars an hour of GPU; None if the service does not know or the key may not ask."""
    try:
        with GenerateOnCloud(login.url, login.api_key) as own:
            return own.usage.month().price_per_hour
    except ProblemError:
        return None


def _announcement(listener: socket.socket, login: Login, rules: Rules) -> str:
    host, port = listener.getsockname()[:2]
    who = f"users: {', '.join(rules.logins)}" if rules.logins else "programs of this machine only"
    pages = f"; web pages: {', '.join(sorted(rules.origins))}" if rules.origins else ""
    return f"WebUI's API is at http://{host}:{port} ({who}{pages}), drawn by {login.url}. Ctrl-C ends it."

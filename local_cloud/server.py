"""The one process of the local cloud: the emulated AWS and SageMaker behind one loopback port, then the deployment."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO
from urllib.parse import urlsplit

from local_cloud.asgi import AsgiApp, sandboxed
from local_cloud.environment import emulator_environment, local_environment
from local_cloud.polls import waiting_outside
from local_cloud.preflight import CannotStartError, bind_port, check_disk, check_python, lock_state
from local_cloud.private_files import OWNER_ONLY, close_to_others, write_private
from local_cloud.processes import kill_leftovers
from local_cloud.root_credential import RootCredential
from local_cloud.s3_hosts import redirecting_global_hosts
from local_cloud.settings import REPOSITORY, LocalSettings
from local_cloud.short_paths import ShortPaths
from local_cloud.sign_in import print_sign_in_link
from local_cloud.synthesis import SynthesisError, synthesise
from local_cloud.webui_api import WebUiApi

logger = logging.getLogger("local_cloud")

ENDPOINT_SECONDS = 180.0
_GRACE_SECONDS = 2


def serve(settings: LocalSettings, *, stop_with_stdin: bool = False) -> NoReturn:
    """Run the local cloud until SIGINT or SIGTERM, then exit the process with 0, or 1 if the deployment failed.

    Args:
        stop_with_stdin: also stop when standard input ends, so that the cloud ends with the process that started it.

    Raises:
        CannotStartError: before anything has started.
    """
    check_python(sys.version_info[:2])
    with lock_state(settings.state_dir):
        check_disk(settings.state_dir)
        leftovers = kill_leftovers(settings.state_dir)
        listener = bind_port(settings.port)
        _prepare(settings)
        if leftovers:
            logger.warning("killed processes that an earlier local cloud left behind: %s", leftovers)
        with listener:
            asyncio.run(_run(settings, listener, stop_with_stdin=stop_with_stdin))


def _prepare(settings: LocalSettings) -> None:
    os.umask(OWNER_ONLY)
    close_to_others(settings.state_dir)
    settings.ready_file.unlink(missing_ok=True)
    shutil.rmtree(settings.scratch_dir, ignore_errors=True)
    for folder in (settings.scratch_dir, settings.emulator_dir, settings.objects_dir, settings.log_dir):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _move_port(settings)
    root = RootCredential.random()
    root.write(settings.credentials_file)
    environment = local_environment(settings, os.environ, root) | emulator_environment(settings)
    os.environ.clear()
    os.environ.update(environment)


def _move_port(settings: LocalSettings) -> None:
    """Update queue URLs and the like, which contain the port, when the port has changed."""
    port_file = settings.state_dir / "port"
    old = port_file.read_text() if port_file.exists() else str(settings.port)
    if old != str(settings.port):
        for path in settings.emulator_dir.glob("*.json"):
            text = moved = path.read_text()
            for host in ("localhost", "127.0.0.1"):
                moved = moved.replace(f"{host}:{old}", f"{host}:{settings.port}")
            if moved != text:
                partial = path.with_suffix(".json.tmp")
                partial.write_text(moved)
                partial.replace(path)
    port_file.write_text(str(settings.port))


async def _run(settings: LocalSettings, listener: socket.socket, *, stop_with_stdin: bool) -> NoReturn:
    # ministack reads the environment and configures logging when it is imported.
    from local_cloud.durability import Durability
    from local_cloud.ministack.emulator import Emulator
    from local_cloud.ministack.function_logs import FunctionLogs
    from local_cloud.ministack.identities import Identities
    from local_cloud.sagemaker.service import SageMaker

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    _stop_on_request(loop, stop, with_stdin=stop_with_stdin)
    timings = {"emulator": loop.time()}
    emulator = Emulator(settings)
    durability = Durability(settings, emulator)
    identities = Identities(settings)
    sagemaker = SageMaker(settings, emulator, durability, identities)
    sagemaker.register()
    FunctionLogs(settings.log_dir, _report_function)
    await emulator.start()
    if replayed := await durability.replay():
        logger.info("replayed %d writes from the previous run", replayed)
    identities.remember_functions()
    emulator.watch(durability.before, durability.after)
    sagemaker.start()
    door = ShortPaths(_front_door(settings, emulator.asgi, sagemaker, identities))
    webui_api = WebUiApi(door)
    server = _server(webui_api)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    timings["emulator"] = loop.time() - timings["emulator"]
    code = 0
    try:
        deploying = asyncio.create_task(_deploy(settings, sagemaker, timings))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([deploying, stopping, serving], return_when=asyncio.FIRST_COMPLETED)
        if deploying.done():
            code = _announce(settings, deploying, door, webui_api)
            if code == 0:
                await _until_any(stopping, serving, meanwhile=None if stop_with_stdin else _greet(settings))
        else:
            deploying.cancel()
            await asyncio.wait([deploying])
    finally:
        settings.ready_file.unlink(missing_ok=True)
        server.should_exit = True
        await sagemaker.stop()
        await asyncio.wait([serving])
        await emulator.stop()
        durability.close()
    # Everything is saved. A function that still runs would keep the emulator's threads, and thus the process, alive.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def _front_door(settings: LocalSettings, emulated: AsgiApp, sagemaker: Any, identities: Any) -> AsgiApp:
    """Everything that the port answers, from the inside out."""
    from local_cloud.account_wire import AccountWire
    from local_cloud.gate import Gate
    from local_cloud.ministack.signatures import Signatures
    from local_cloud.ministack.worker_pool import POLLS
    from local_cloud.sagemaker.scaling_wire import ScalingWire
    from local_cloud.sagemaker.wire import SageMakerWire

    services: AsgiApp = SageMakerWire(AccountWire(emulated, settings), sagemaker, identities)
    services = ScalingWire(services, sagemaker.scaling, identities, region=settings.region)
    services = sandboxed(redirecting_global_hosts(services, region=settings.region))
    return Gate(services, waiting_outside(emulated, inside=POLLS), Signatures())


def _stop_on_request(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, *, with_stdin: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if with_stdin:
        loop.add_reader(sys.stdin.fileno(), _stop_at_end, sys.stdin, stop)


def _stop_at_end(stdin: TextIO, stop: asyncio.Event) -> None:
    if not os.read(stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(stdin.fileno())
        stop.set()


def _server(app: Any) -> Any:
    import uvicorn

    from local_cloud.half_requests import bounded_requests

    class Server(uvicorn.Server):
        """Leaves signals to the local cloud, which has more to stop than the server."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        http=bounded_requests(),
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config)


async def _deploy(settings: LocalSettings, sagemaker: Any, timings: dict[str, float]) -> dict[str, Any]:
    with _timed(timings, "synthesis"):
        assembly = settings.assembly or await synthesise(settings)
    with _timed(timings, "deployment"):
        deployment = await _run_deployment(settings, assembly)
    if deployment["endpoint_name"] is not None:
        with _timed(timings, "endpoint"):
            await sagemaker.until_settled(deployment["endpoint_name"], ENDPOINT_SECONDS)
    return {**deployment, "timings": {name: round(seconds, 3) for name, seconds in timings.items()}}


@contextlib.contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    timings[name] = time.monotonic() - began


async def _run_deployment(settings: LocalSettings, assembly: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local_cloud.deployment", "--assembly", str(assembly)),
        *("--endpoint-url", settings.endpoint_url, "--region", settings.region),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise CannotStartError(f"the deployment failed: {errors.decode(errors='replace').strip()}")
    deployment: dict[str, Any] = json.loads(output)
    return deployment


def _announce(
    settings: LocalSettings, deploying: "asyncio.Task[dict[str, Any]]", door: ShortPaths, webui_api: WebUiApi
) -> int:
    """Write the ready file and print the ready line, or why it is not ready; returns the exit code so far."""
    try:
        deployment = deploying.result()
    except (CannotStartError, SynthesisError) as error:
        print(f"local cloud: {error}", file=sys.stderr, flush=True)
        return 1
    if deployment["api_url"] is not None:
        door.stage_path = urlsplit(deployment["api_url"]).path
        webui_api.api_url = deployment["api_url"]
    ready = {"pid": os.getpid(), "endpoint_url": settings.endpoint_url, "region": settings.region, **deployment}
    write_private(settings.ready_file, json.dumps(ready, indent=2))
    print("local cloud is ready", flush=True)
    for name in ("api_url", "admin_key", "endpoint_url"):
        if ready[name] is not None:
            print(f"  {name.replace('_', ' '):13}{ready[name]}", flush=True)
    if door.stage_path is not None:
        print(f"  WebUI's API  {settings.endpoint_url}/sdapi/v1 (any user name, your key as the password)", flush=True)
    print(f"  credentials  {settings.credentials_file}", flush=True)
    if ready["api_url"] is not None and ready["admin_key"] is not None:
        print("paste this into another terminal:", flush=True)
        print(f"export GOC_URL={ready['api_url']} GOC_API_KEY={ready['admin_key']}", flush=True)
        print('export PATH="$PWD/.venv/bin:$PATH"', flush=True)
    return 0


async def _until_any(*ends: "asyncio.Task[Any]", meanwhile: Coroutine[Any, Any, None] | None) -> None:
    task = None if meanwhile is None else asyncio.create_task(meanwhile)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if task is not None:
        task.cancel()


async def _greet(settings: LocalSettings) -> None:
    """Print a link that opens the console signed in: for a person, not into the log of a program that started us."""
    ready = json.loads(settings.ready_file.read_text())
    if ready["api_url"] is not None and ready["admin_key"] is not None:
        url, api_url, key = settings.endpoint_url, ready["api_url"], ready["admin_key"]
        afterwards = "`goc console` opens it, where you pasted the lines above"
        await asyncio.to_thread(print_sign_in_link, url, api_url, key, afterwards=afterwards)


def _report_function(name: str, log: str) -> None:
    logger.error("the function %s failed:\n%s", name, log.strip() or "it logged nothing")

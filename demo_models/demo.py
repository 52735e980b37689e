"""`make demo`: starts the local cloud, draws with it through its public API and stops it again."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from demo_models.checkpoint import TRAINED
from generate_on_cloud.cli.demo import run_demo
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from local_cloud.cloud import LocalCloud
from local_cloud.preflight import CannotStartError
from local_cloud.settings import DEFAULT_PORT, DEFAULT_STATE_DIR
from local_cloud.sign_in import print_sign_in_link

STOPPED_BY_CTRL_C = 130


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 if done, 1 if a job or request failed, 2 if the local cloud could not start, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m demo_models.demo", description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for the pictures")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False)
    # `make` passes SIGTERM on; stopping in order needs the same way out as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        local = LocalCloud(chosen.state_dir, port=chosen.port)
        with (
            _running(local, console) as (url, key),
            GenerateOnCloud(url, key) as cloud,
        ):
            run_demo(cloud, checkpoint=TRAINED, out=chosen.out, console=console)
            _show_console(local, console)
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 2
    except (CloudError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return STOPPED_BY_CTRL_C
    return 0


def _show_console(local: LocalCloud, console: Console) -> None:
    """Print a link to the console, and in a terminal keep the demo's own cloud running for it until Ctrl-C."""
    started_here = local.is_owner
    if started_here and not (sys.stdin.isatty() and sys.stdout.isatty()):
        console.print("next: `make local` keeps the cloud running and prints a link to its web console", markup=False)
        return
    afterwards = "`make local` prints another" if started_here else "`goc console` opens it"
    print_sign_in_link(local.endpoint_url, local.api_url, local.admin_key, afterwards=afterwards)
    if started_here:
        console.print("the cloud keeps running for it until you press Ctrl-C", markup=False)
        with suppress(KeyboardInterrupt):
            signal.pause()


@contextmanager
def _running(cloud: LocalCloud, console: Console) -> Iterator[tuple[str, str]]:
    """URL and key of this folder's local cloud: the one that is running, else one started for the block."""
    if cloud.attach():
        console.print(f"using the local cloud that is running at {cloud.endpoint_url}")
        yield cloud.api_url, cloud.admin_key
        return
    started = time.perf_counter()
    with console.status("starting the local cloud: synthesise, deploy, start the container"):
        cloud.start()
    try:
        phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in cloud.timings.items())
        console.print(f"local cloud ready in {time.perf_counter() - started:.1f} s ({phases})", soft_wrap=True)
        yield cloud.api_url, cloud.admin_key
    finally:
        cloud.stop()


if __name__ == "__main__":
    sys.exit(main())

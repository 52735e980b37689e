"""`make bench-webui-start`: what the installed panel adds to the start of a WebUI.

It measures the stand-ins for both hosts, or the real one that WEBUI=FOLDER names. Each start is a fresh process that
builds the host's page, with and without the panel in turn. Processor time counts, because it hardly depends on what
else the machine does. The garbage collector is off: a pass over all objects of the host takes a tenth of a second, and
which allocation starts it is chance. In a real host an extension holds the clock (`tests/webui_extension/start_clock`).
"""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.patience import wait_for
from tests.webui_extension.hosts import Host, hosts, running_host

ROOT = Path(__file__).resolve().parent.parent
STANDIN = ROOT / "tests" / "webui_extension" / "standin"
CLOCK = ROOT / "tests" / "webui_extension" / "start_clock"
PANEL = "generate-on-cloud"
ROUNDS = 9
CHILD = """
import gc, json, sys, threading, time
sys.path.insert(0, sys.argv[1])
import host
host.announce_components()
gc.collect()
gc.disable()
before = time.process_time()
host.build()
took = time.process_time() - before
ours = [thread.name for thread in threading.enumerate() if "generate-on-cloud" in thread.name]
print(json.dumps({"seconds": took, "threads": ours, "panel": "webui_extension" in sys.modules}))
"""


def start(python: Path, folder: Path) -> float:
    """Seconds of processor time in which the host with this data folder builds its page.

    Raises:
        RuntimeError: the host did not start, had not what its folder says, or the panel holds a thread.
    """
    environment = {
        **os.environ, "STANDIN_FOLDER": str(folder), "HOME": str(folder), "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }  # fmt: skip
    ran = subprocess.run(  # noqa: S603
        [python, "-W", "ignore", "-c", CHILD, str(STANDIN)],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    measured = json.loads(ran.stdout.splitlines()[-1])
    if measured["threads"] or measured["panel"] != any((folder / "extensions").iterdir()):
        raise RuntimeError(f"{folder}: {measured}")
    return float(measured["seconds"])


def real_start(host: Host, folder: Path) -> float:
    """Seconds of processor time for the panel's scripts and the page in a real host with this data folder.

    Raises:
        RuntimeError: the host had not what its folder says, or the panel holds a thread while idle.
    """
    clock = folder / "clock.json"
    clock.unlink(missing_ok=True)
    with running_host(host, folder, {"START_CLOCK": str(clock)}):
        wait_for(clock.exists, "the clock of the host's start")
        measured = json.loads(clock.read_text())
    if measured["threads"] or (measured["scripts"] > 0) != (folder / "extensions" / PANEL).exists():
        raise RuntimeError(f"{folder}: {measured}")
    return float(measured["scripts"] + measured["page"])


def compare(name: str, start_one: Callable[[Path], float], folders: Sequence[Path]) -> None:
    """Print what the second folder's start takes longer than the first one's."""
    for folder in folders:
        start_one(folder)  # compiles
    pairs = [[start_one(folder) for folder in folders] for _ in range(ROUNDS)]
    without, with_panel = (min(column) for column in zip(*pairs, strict=True))
    middle = statistics.median(one - other for other, one in pairs)
    print(
        f"{name}: {1000 * without:.0f} ms without the panel, {1000 * with_panel:.0f} ms with it, minimum of "
        f"{ROUNDS}; median of the differences {1000 * middle:.0f} ms; no thread is left"
    )


def main() -> None:
    for host in hosts():
        if not host.python.exists():
            raise SystemExit(f"{host.python} is missing: make webui-environments, or WEBUI_PYTHON=...")
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / each for each in ("without", "with")]
            for folder in folders:
                (folder / "extensions").mkdir(parents=True)
                if host.is_real:
                    (folder / "extensions" / "a-clock").symlink_to(CLOCK)
            (folders[1] / "extensions" / PANEL).symlink_to(ROOT / "webui_extension")
            how = partial(real_start, host) if host.is_real else partial(start, host.python)
            compare(str(host), how, folders)


if __name__ == "__main__":
    main()

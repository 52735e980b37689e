"""`make bench-webui-start`: what the installed panel adds to the start of a WebUI, in the stand-ins for both hosts.

Each start is a fresh process that builds the host's page, with and without the panel in turn. Processor time counts,
because it hardly depends on what else the machine does. The garbage collector is off: a pass over all objects of the
host takes a tenth of a second, and which allocation starts it is chance.
"""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STANDIN = ROOT / "tests" / "webui_extension" / "standin"
HOSTS = {"AUTOMATIC1111": ".venv-gradio3", "Forge": ".venv-gradio4"}
ROUNDS = 5
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


def main() -> None:
    for host, environment in HOSTS.items():
        python = ROOT / environment / "bin" / "python"
        if not python.exists():
            raise SystemExit(f"{python} is missing: make webui-environments")
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / each for each in ("without", "with")]
            for folder in folders:
                (folder / "extensions").mkdir(parents=True)
            (folders[1] / "extensions" / "generate-on-cloud").symlink_to(ROOT / "webui_extension")
            for folder in folders:
                start(python, folder)  # compiles
            pairs = [[start(python, folder) for folder in folders] for _ in range(ROUNDS)]
        without, with_panel = (min(column) for column in zip(*pairs, strict=True))
        middle = statistics.median(one - other for other, one in pairs)
        print(
            f"{host}: {1000 * without:.0f} ms without the panel, {1000 * with_panel:.0f} ms with it, minimum of "
            f"{ROUNDS}; median of the differences {1000 * middle:.0f} ms; no thread is left"
        )


if __name__ == "__main__":
    main()

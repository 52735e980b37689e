"""`goc serve` as a process of its own, as users start it."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from generate_on_cloud.faces.sdapi.settings import Settings
from generate_on_cloud.serve.callers import KeptSettings
from local_cloud.cloud import LocalCloud
from local_cloud.preflight import free_port
from tests.e2e.conftest import CHECKPOINT
from tests.patience import wait_for

ROOT = Path(__file__).parents[2]
_GOC = "from generate_on_cloud.cli.command import main; main()"


@dataclass
class Serving:
    """A running `goc serve`."""

    url: str
    lines: list[str] = field(default_factory=list)
    """What it has printed so far."""


@contextmanager
def goc_serve(cloud: LocalCloud, *options: str, port: int | None = None) -> Iterator[Serving]:
    """Start it with CHECKPOINT chosen, wait until it answers, and end it with Ctrl-C.

    Other tests leave their checkpoints in the same cloud, so none would be the only one.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory() as home:
        kept = KeptSettings(Path(home) / "generate-on-cloud" / "serve.json", service=cloud.api_url)
        kept.put("", Settings({"sd_model_checkpoint": CHECKPOINT}))
        environment = {
            **os.environ, "GOC_URL": cloud.api_url, "GOC_API_KEY": cloud.admin_key, "XDG_CONFIG_HOME": home,
            "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", _GOC, "serve", "--port", str(port), *options],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        serving = Serving(f"http://127.0.0.1:{port}")
        reading = threading.Thread(target=_read, args=(process, serving.lines), daemon=True)
        reading.start()
        try:
            wait_for(
                lambda: process.poll() is not None or any("API is at" in line for line in serving.lines),
                "goc serve answers",
                seconds=60,
            )
            assert process.poll() is None, serving.lines
            yield serving
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            reading.join(10)
            assert process.stdout is not None
            process.stdout.close()


def _read(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip("\n"))  # noqa: PERF401 - tests look at the list while it grows

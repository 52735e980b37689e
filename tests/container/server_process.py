"""The real program, `python -m inference_container.server`, started by tests as a process."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from inference_container.settings import ContainerSettings
from tests.patience import wait_for

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def container(settings: ContainerSettings) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        **settings.environment(),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "inference_container.server"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def settings_for(cache: Path, **changes: str) -> ContainerSettings:
    fixed = {"JOBS_BUCKET": "jobs", "ASSETS_BUCKET": "assets", "JOBS_TABLE": "jobs", "HOST": "127.0.0.1"}
    return ContainerSettings.model_validate({**fixed, "PORT": free_port(), "CACHE_DIR": cache, **changes})


def wait_until_green(url: str, process: subprocess.Popen[str]) -> None:
    def is_green() -> bool:
        assert process.poll() is None, f"the container ended: {process.communicate()}"
        try:
            return httpx.get(f"{url}/ping").status_code == 200
        except httpx.TransportError:
            return False

    wait_for(is_green, "a green ping", seconds=90, every=0.1)

"""The real program, `python -m inference_container.server`: it starts, answers, and goes when told."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.messages import JobFailure
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


def test_the_container_gets_ready_answers_a_broken_request_and_ends_on_sigterm(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    url = f"http://127.0.0.1:{settings.PORT}"

    with container(settings) as process:
        wait_until_green(url, process)
        answer = httpx.post(f"{url}/invocations", content=b'{"job_id": "j1"}')
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)

    assert answer.status_code == 422
    failure = JobFailure.model_validate_json(answer.content)
    assert (failure.job_id, failure.error.code) == ("j1", JobErrorCode.INVALID_PARAMS)
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["message"].split(":")[0] for line in lines if line.get("job_id") == "j1"] == ["job failed"]
    assert process.returncode in {0, -signal.SIGTERM}


@pytest.mark.slow
def test_a_container_of_two_workers_is_green_answers_and_leaves_no_process_behind(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, WORKERS="2", DEVICE="cpu")
    url = f"http://127.0.0.1:{settings.PORT}"

    with container(settings) as process:
        wait_until_green(url, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        answer = httpx.post(f"{url}/invocations", content=b'{"job_id": "j1"}')
        process.kill()
        process.wait(timeout=20)
        wait_for(lambda: not any(is_running(int(child)) for child in children), "the end of the workers")

    assert len(children) == 2
    assert JobFailure.model_validate_json(answer.content).error.code is JobErrorCode.INVALID_PARAMS


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_container_that_cannot_run_here_ends_with_the_reason(tmp_path: Path) -> None:
    with container(settings_for(tmp_path, DEVICE="cpu", DTYPE="float16")) as process:
        _, log = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "DTYPE is float16, but the models run on the CPU" in log

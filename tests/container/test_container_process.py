"""The real program, `python -m inference_container.server`: it starts, answers, and goes when told."""

import json
import signal
from pathlib import Path

import httpx
import pytest

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.messages import JobFailure
from tests.container.server_process import container, settings_for, wait_until_green
from tests.patience import wait_for


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

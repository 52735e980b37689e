"""The container's HTTP face: SageMaker's contract, whatever the worker does."""

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.testclient import TestClient

from generate_on_cloud.contract.errors import JOB_ERRORS, JobError, JobErrorCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import JobFailure, JobResult
from inference_container.json_log import JsonFormatter, current_job
from inference_container.server import ContainerServer, JobLine, JobRunner, create_app
from tests.patience import wait_for


class ScriptedRunner:
    """A runner whose job is its document: `ok`, an error code, or `wait` until `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.running = threading.Event()
        self.stopped: list[str] = []
        self.threads: set[str] = set()
        self.waited: list[float] = []

    def answer(self, document: bytes, *, waited: float) -> JobResult | JobFailure:
        self.waited.append(waited)
        self.threads.add(threading.current_thread().name)
        text = document.decode()
        if text == "wait":
            self.running.set()
            assert self.go.wait(20)
        elif text != "ok":
            return JobFailure(job_id="j", error=JobError.of(JobErrorCode(text), "the reason"))
        return JobResult(job_id=text, task=Task.TXT2IMG)

    def preload(self, key: str) -> None:
        raise AssertionError(f"nobody asked for {key}")

    def stop(self, reason: str) -> None:
        self.stopped.append(reason)


@contextmanager
def serving(line: JobLine, *, max_request_bytes: int = 1000) -> Iterator[TestClient]:
    with TestClient(create_app(line, max_request_bytes=max_request_bytes)) as client:
        yield client


@pytest.fixture
def runner() -> ScriptedRunner:
    return ScriptedRunner()


@pytest.fixture
def client(runner: ScriptedRunner) -> Iterator[TestClient]:
    line = JobLine(lambda: runner)
    with serving(line) as client:
        wait_for(lambda: line.state() != "starting", "the start")
        yield client


def test_a_ready_worker_pings_green(client: TestClient) -> None:
    answer = client.get("/ping")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_ping_is_not_green_while_the_worker_starts_and_jobs_are_refused() -> None:
    go = threading.Event()

    def start_slowly() -> JobRunner:
        assert go.wait(20)
        return ScriptedRunner()

    with serving(JobLine(start_slowly)) as client:
        ping, job = client.get("/ping"), client.post("/invocations", content=b"ok")
        go.set()

    assert (ping.status_code, ping.json()) == (503, {"status": "starting"})
    assert job.status_code == 503
    assert JobFailure.model_validate_json(job.content).error.message == "the worker is not ready: starting"


def test_a_worker_that_cannot_start_says_why() -> None:
    def fail_to_start() -> JobRunner:
        raise ValueError("DEVICE is cuda, but this machine has no CUDA device")

    line = JobLine(fail_to_start)
    with serving(line) as client:
        wait_for(lambda: line.state() != "starting", "the start")
        ping = client.get("/ping")

    assert ping.status_code == 503
    assert ping.json() == {"status": "ValueError: DEVICE is cuda, but this machine has no CUDA device"}


def test_a_result_is_answered_with_200(client: TestClient) -> None:
    answer = client.post("/invocations", content=b"ok")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert JobResult.model_validate_json(answer.content).job_id == "ok"


@pytest.mark.parametrize("code", list(JobErrorCode))
def test_every_failure_has_the_http_status_of_its_code(client: TestClient, code: JobErrorCode) -> None:
    answer = client.post("/invocations", content=code.value.encode())

    assert answer.status_code == JOB_ERRORS[code].http_status
    assert JobFailure.model_validate_json(answer.content).error == JobError.of(code, "the reason")


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(client: TestClient, chunked: bool) -> None:
    def body(size: int) -> bytes | Iterator[bytes]:
        return iter([b"x" * size]) if chunked else b"x" * size

    answer = client.post("/invocations", content=body(1001))

    assert answer.status_code == 413
    assert "larger than the 1000 bytes" in JobFailure.model_validate_json(answer.content).error.message
    with pytest.raises(ValueError, match="is not a valid JobErrorCode"):
        client.post("/invocations", content=body(1000))


def test_one_job_runs_at_a_time_and_health_answers_meanwhile(client: TestClient, runner: ScriptedRunner) -> None:
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(client.post, "/invocations", content=b"wait")
        assert runner.running.wait(20)
        second = callers.submit(client.post, "/invocations", content=b"ok")

        ping = client.get("/ping")
        waiting = not second.done()
        runner.go.set()

        assert (ping.status_code, waiting) == (200, True)
        assert [first.result().status_code, second.result().status_code] == [200, 200]
    assert len(runner.threads) == 1


def test_stopping_reaches_the_worker(runner: ScriptedRunner) -> None:
    line = JobLine(lambda: runner)
    line.open().result(20)

    line.stop_jobs("the container was stopped")
    asyncio.run(line.close())

    assert runner.stopped == ["the container was stopped"]


def test_sigterm_lets_the_running_job_go_on_for_the_grace_period_only(runner: ScriptedRunner) -> None:
    line = JobLine(lambda: runner)
    line.open().result(20)
    config = uvicorn.Config(create_app(line, max_request_bytes=1000), log_config=None)
    server = ContainerServer(config, line, grace_seconds=0.2)

    server.handle_exit(signal.SIGTERM, None)
    at_once = list(runner.stopped)
    wait_for(lambda: runner.stopped, "the order to stop")
    asyncio.run(line.close())

    assert server.should_exit
    assert (at_once, runner.stopped) == ([], ["the container was stopped"])


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/invocations", 405), ("GET", "/", 404)])
def test_other_requests_are_not_answered(client: TestClient, method: str, path: str, status: int) -> None:
    assert client.request(method, path).status_code == status


def test_log_lines_are_json_with_the_job_and_the_traceback() -> None:
    try:
        raise KeyError("latents")
    except KeyError as error:
        trouble = (KeyError, error, error.__traceback__)
    record = logging.LogRecord("worker", logging.ERROR, __file__, 1, "job %s\nfailed", ("x",), trouble)
    token = current_job.set("j1")

    try:
        text = JsonFormatter().format(record)
    finally:
        current_job.reset(token)

    line = json.loads(text)
    assert "\n" not in text
    assert (line["job_id"], line["level"], line["message"]) == ("j1", "error", "job x\nfailed")
    assert "KeyError: 'latents'" in line["traceback"]

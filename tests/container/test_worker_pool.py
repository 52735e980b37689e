"""Several worker processes behind one face: every GPU works, and a process that dies takes its own job only."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.messages import JobFailure, JobResult
from inference_container.server import create_app
from inference_container.settings import ContainerSettings
from inference_container.worker_pool import WorkerPool
from tests.patience import wait_for

STAND_IN = (sys.executable, str(Path(__file__).with_name("standin_worker.py")))


def pool(
    *, command: tuple[str, ...] = STAND_IN, broken: Callable[[], object] = lambda: None, stuck_seconds: float = 60.0
) -> WorkerPool:
    settings = ContainerSettings(JOBS_BUCKET="jobs", ASSETS_BUCKET="assets", JOBS_TABLE="jobs", WORKERS=2)
    return WorkerPool(settings, command=command, broken=broken, stuck_seconds=stuck_seconds)


@contextmanager
def serving(workers: WorkerPool) -> Iterator[TestClient]:
    with TestClient(create_app(workers, max_request_bytes=1000)) as client:
        wait_for(lambda: client.get("/ping").json() != {"status": "starting"}, "the start", seconds=60)
        yield client


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with serving(pool()) as client:
        yield client


def post(client: TestClient, **document: object) -> JobResult | JobFailure:
    answer = client.post("/invocations", content=json.dumps({"job_id": "j", **document}))
    return (JobResult if answer.status_code == 200 else JobFailure).model_validate_json(answer.content)


def places(*answers: JobResult | JobFailure) -> list[str]:
    """Which GPUs the jobs ran on."""
    assert all(isinstance(answer, JobResult) for answer in answers)
    return sorted(str(answer.info["gpu"]) for answer in answers if isinstance(answer, JobResult))


def test_jobs_run_at_the_same_time_on_a_gpu_each_and_the_next_one_waits(client: TestClient, tmp_path: Path) -> None:
    go = tmp_path / "go"

    with ThreadPoolExecutor(3) as callers:
        jobs = [callers.submit(post, client, job_id=f"j{number}", wait=str(go)) for number in range(3)]
        ping = client.get("/ping")
        waiting = [job.done() for job in jobs]
        go.touch()
        answers = [job.result() for job in jobs]

    assert (ping.status_code, waiting) == (200, [False, False, False])
    assert places(*answers)[0] == "0"
    assert places(*answers)[-1] == "1"
    assert [answer.job_id for answer in answers] == ["j0", "j1", "j2"]


def test_a_worker_that_dies_loses_its_own_job_only_and_comes_back(client: TestClient, tmp_path: Path) -> None:
    go = tmp_path / "go"

    with ThreadPoolExecutor(1) as callers:
        other = callers.submit(post, client, job_id="other", wait=str(go))
        lost = post(client, job_id="lost", correlation_id="order-17", die=True)
        go.touch()
        kept = other.result()
    after = post(client)
    wait_for(lambda: len({place for _ in range(2) for place in places(post(client))}) == 2, "both GPUs", seconds=60)

    assert isinstance(lost, JobFailure)
    assert (lost.job_id, lost.correlation_id) == ("lost", "order-17")
    assert lost.error.code is JobErrorCode.WORKER_LOST
    assert "the worker process of this job died" in lost.error.message
    assert isinstance(kept, JobResult)
    assert isinstance(after, JobResult)
    assert client.get("/ping").status_code == 200


def test_a_worker_that_is_stuck_loses_its_job_and_is_started_again(tmp_path: Path) -> None:
    with serving(pool(stuck_seconds=0.1)) as client:
        lost = post(client, job_id="stuck", run_timeout_s=1, wait=str(tmp_path / "never"))
        after = post(client)
        wait_for(lambda: len({place for _ in range(2) for place in places(post(client))}) == 2, "both GPUs", seconds=60)

    assert isinstance(lost, JobFailure)
    assert (lost.job_id, lost.error.code) == ("stuck", JobErrorCode.WORKER_LOST)
    assert "TimeoutError" in lost.error.message
    assert isinstance(after, JobResult)


def test_a_worker_runs_one_job_and_knows_nothing_of_the_others(client: TestClient) -> None:
    answer = post(client)

    assert isinstance(answer, JobResult)
    assert answer.info["workers"] is None


def test_a_pool_whose_workers_cannot_start_says_so_and_is_not_green() -> None:
    ended = threading.Event()

    with serving(pool(command=(*STAND_IN, "--broken"), broken=ended.set)) as client:
        ping = client.get("/ping")

    assert ended.is_set()
    assert ping.status_code == 503
    assert "could not be started: it exited with status 3" in ping.json()["status"]

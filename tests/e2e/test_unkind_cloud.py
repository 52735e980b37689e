"""The whole system where everything comes twice, indices lag and few functions run at once: each job ends once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import Unkindness
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import endless, txt2img
from tests.patience import wait_for
from tests.tiny_checkpoint import write_tiny_checkpoint

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

JOBS = 6
UNKIND = Unkindness(doubled_events=1, doubled_within_seconds=0.5, index_lag_seconds=1, concurrency=10)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("unkind"), unkindness=UNKIND) as cloud:
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as admin:
            folder = tmp_path_factory.mktemp("models")
            admin.assets.upload(write_tiny_checkpoint(folder / CHECKPOINT), "checkpoint")
        yield cloud


def ask(cloud: LocalCloud, method: str, path: str, body: object = None, *, key: str | None = None) -> Any:
    headers = {"x-api-key": key or cloud.admin_key}
    answer = httpx.request(method, f"{cloud.api_url}/v1/{path}", json=body, headers=headers, timeout=60)
    return answer.raise_for_status().json()


def places(cloud: LocalCloud) -> set[str]:
    """How many jobs each user has open, by the counters."""
    dynamodb = LocalClients(cloud.endpoint_url, cloud.root).client("dynamodb")
    rows = dynamodb.scan(TableName=cloud.outputs["AccessTableName"], ConsistentRead=True)["Items"]
    return {row["open_jobs"]["N"] for row in rows if "open_jobs" in row}


def test_every_job_ends_once_though_every_event_comes_twice(cloud: LocalCloud) -> None:
    quotas = {"concurrent_jobs": 20, "jobs_per_day": 100}
    ask(cloud, "POST", "users", {"name": "alice", "role": "artist", "quotas": quotas})
    key = ask(cloud, "POST", "keys", {"user": "alice"})["key"]
    with GenerateOnCloud(cloud.api_url, key) as service:
        wanted = [CreateJob(task=Task.TXT2IMG, params=txt2img(seed=n), checkpoint=CHECKPOINT) for n in range(JOBS)]
        ids = [service.jobs.submit(job).job_id for job in wanted]
        stopped = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
        service.jobs.cancel(stopped)

        # What was written is there at once; only lists lag.
        assert {service.jobs.get(job_id).job_id for job_id in [*ids, stopped]} == {*ids, stopped}
        ends = {job_id: [*service.jobs.watch(job_id, wait=20)][-1].status for job_id in [*ids, stopped]}

        def listed() -> Counter[tuple[str, JobStatus]]:
            return Counter((job.job_id, job.status) for job in service.jobs.list())

        right = dict.fromkeys(ids, JobStatus.SUCCEEDED) | {stopped: JobStatus.CANCELED}
        wait_for(lambda: listed() == Counter(right.items()), "every job is listed once, with its end")

    def counted() -> tuple[int, int]:
        days = ask(cloud, "GET", "usage", key=key)["days"]
        return sum(day["succeeded"] for day in days), sum(day["canceled"] for day in days)

    assert ends == right
    wait_for(lambda: places(cloud) == {"0"}, "every place is free again")
    assert counted() == (JOBS, 1)


def test_more_requests_than_functions_are_refused_for_a_moment_and_the_client_sends_them_again(
    cloud: LocalCloud,
) -> None:
    def jobs(_: int) -> int:
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            return len(service.jobs.page(limit=5).jobs)

    def status(_: int) -> tuple[int, str | None, str | None]:
        url, headers = f"{cloud.api_url}/v1/jobs", {"x-api-key": cloud.admin_key}
        answer = httpx.get(url, headers=headers, timeout=60)
        return answer.status_code, answer.headers.get("retry-after"), answer.json().get("code")

    with ThreadPoolExecutor(40) as threads:
        answers = set(threads.map(status, range(160)))
        found = list(threads.map(jobs, range(24)))

    assert answers == {(200, None, None), (429, "2", "too_many_requests")}
    assert len(found) == 24

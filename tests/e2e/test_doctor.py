"""`goc doctor` at a desk: each fault, planted in a local cloud, has its row with what mends it."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from generate_on_cloud.cli.doctor_checks import examine
from generate_on_cloud.cli.doctor_rows import Row
from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.tiny_checkpoint import write_tiny_checkpoint

TINY = (sys.executable, str(Path(__file__).parents[1] / "local_cloud" / "tiny_container.py"))


class Firewall(httpx.HTTPTransport):
    """Lets requests to the API through, which carry the key, and none to storage."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "x-api-key" not in request.headers and not request.url.path.endswith("/v1/health"):
            message = "no route to host"
            raise httpx.ConnectError(message)
        return super().handle_request(request)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("doctor"), container_command=TINY) as cloud:
        yield cloud


def rows(
    cloud: LocalCloud,
    *,
    url: str | None = None,
    key: str | None = None,
    http: httpx.Client | None = None,
    ahead: timedelta = timedelta(),
) -> dict[str, Row]:
    url = url or cloud.api_url
    with GenerateOnCloud(url, key or cloud.admin_key, http=http) as service:
        return {row.name: row for row in examine(service, url, now=lambda: datetime.now(UTC) + ahead)}


def key_of(cloud: LocalCloud, name: str, **user: Any) -> str:
    headers = {"x-api-key": cloud.admin_key}
    for path, body in (("users", {"name": name, "role": "artist"} | user), ("keys", {"user": name})):
        answer = httpx.post(f"{cloud.api_url}/v1/{path}", json=body, headers=headers, timeout=60).raise_for_status()
    return str(answer.json()["key"])


def test_a_fresh_deployment_lacks_a_checkpoint_only(cloud: LocalCloud, tmp_path: Path) -> None:
    before = rows(cloud)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.upload(write_tiny_checkpoint(tmp_path / "tiny.safetensors"), "checkpoint")
    after = rows(cloud)

    names = ["service", "clock", "key", "endpoint", "checkpoint", "quotas", "storage"]
    assert {name: row.verdict for name, row in before.items()} == dict.fromkeys(names, "ok") | {"checkpoint": "stop"}
    assert {name: row.verdict for name, row in after.items()} == dict.fromkeys(names, "ok")


@pytest.mark.parametrize(
    ("fault", "name", "verdict", "text"),
    [
        ({"key": "goc_wrong"}, "key", "stop", "wrong, revoked or expired"),
        ({"ahead": timedelta(minutes=10)}, "clock", "look", "minutes ahead of"),
        ({"http": httpx.Client(transport=Firewall())}, "storage", "stop", "no route to host"),
    ],
    ids=["a wrong key", "a wrong clock", "a firewall before storage"],
)
def test_a_fault_at_the_desk_is_told(
    cloud: LocalCloud, fault: dict[str, Any], name: str, verdict: str, text: str
) -> None:
    row = rows(cloud, **fault)[name]

    assert row.verdict == verdict
    assert text in row.text
    assert row.mend


def test_a_url_of_something_else_is_told(cloud: LocalCloud) -> None:
    found = rows(cloud, url=f"{cloud.endpoint_url}/elsewhere")

    assert list(found) == ["service"]
    assert found["service"].verdict == "stop"


def test_a_user_without_jobs_left_or_without_the_permission_is_told(cloud: LocalCloud) -> None:
    headers = {"x-api-key": cloud.admin_key}
    role = {"name": "guest", "permissions": ["asset:list", "endpoint:list"]}
    httpx.post(f"{cloud.api_url}/v1/roles", json=role, headers=headers, timeout=60).raise_for_status()
    full = rows(cloud, key=key_of(cloud, "full", quotas={"jobs_per_day": 0}))
    guest = rows(cloud, key=key_of(cloud, "looks", role="guest"))

    assert (full["quotas"].verdict, full["quotas"].text) == ("stop", "0 of 0 jobs today; jobs today are used up")
    assert guest["key"].verdict == "stop"
    assert guest["storage"].verdict == "look"


@pytest.mark.timeout(300)  # a second local cloud, whose container is started three times
def test_a_failed_endpoint_and_a_stopped_service_are_told(tmp_path: Path) -> None:
    cloud = LocalCloud(tmp_path / "broken", container_command=TINY, container_environment={"CONTAINER_END": "7"})
    with cloud:
        failed = rows(cloud)["endpoint"]
        url, key = cloud.api_url, cloud.admin_key
    stopped = rows(cloud, url=url, key=key)

    assert failed.verdict == "stop"
    assert "is Failed: the container could not be started 3 times" in failed.text
    assert "make deploy" in failed.mend
    assert list(stopped) == ["service"]
    assert stopped["service"].verdict == "stop"

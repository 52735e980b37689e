"""What a page of another origin may do with the API and the signed URLs, by the rules of browsers."""

from typing import Any

import httpx
import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.jobs import Task
from lambdas.api.cors import EXPOSED_HEADERS, REQUEST_HEADERS
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("local-cloud")]

PAGE = {"Origin": "https://webui.example"}


def listed(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def names(headers: tuple[str, ...]) -> set[str]:
    return {name.lower() for name in headers}


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_a_preflight_lets_a_page_send_every_header_of_the_api(local_cloud: LocalCloud, method: str) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(REQUEST_HEADERS)}

    answer = httpx.options(f"{local_cloud.api_url}/v1/jobs", headers=PAGE | asked)

    assert answer.is_success
    assert answer.headers["access-control-allow-origin"] == "*"
    assert method.lower() in listed(answer.headers["access-control-allow-methods"])
    assert listed(answer.headers["access-control-allow-headers"]) >= names(REQUEST_HEADERS)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/v1/jobs", {}, 200, id="an-answer"),
        pytest.param("/v1/jobs", {"x-api-key": "wrong"}, 401, id="a-problem"),
        pytest.param("/nowhere", {}, 404, id="a-path-that-is-not-there"),
        pytest.param("/v1/jobs", {"x-correlation-id": "not allowed!"}, 422, id="a-header-that-is-refused"),
    ],
)
def test_a_page_may_read_every_answer_and_its_headers(
    local_cloud: LocalCloud, path: str, headers: dict[str, str], status: int
) -> None:
    key = {"x-api-key": local_cloud.admin_key}

    answer = httpx.get(f"{local_cloud.api_url}{path}", headers=PAGE | key | headers)

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert listed(answer.headers["access-control-expose-headers"]) == names(EXPOSED_HEADERS)


def test_a_page_may_put_params_and_read_what_storage_says(local_cloud: LocalCloud, service: GenerateOnCloud) -> None:
    api = {"x-api-key": local_cloud.admin_key}
    body: dict[str, Any] = {"task": Task.TXT2IMG, "checkpoint": CHECKPOINT, "params": None}
    job = httpx.post(f"{local_cloud.api_url}/v1/jobs", json=body, headers=PAGE | api).json()
    url, sent = job["upload"]["url"], job["upload"]["headers"]
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": ",".join(sent)}

    preflight = httpx.options(url, headers=PAGE | asked)
    stored = httpx.put(url, content=b"{}", headers=PAGE | sent)

    assert preflight.is_success
    assert listed(preflight.headers["access-control-allow-headers"]) >= set(sent)
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert stored.status_code == 200
    assert stored.headers["access-control-allow-origin"] in {"*", PAGE["Origin"]}
    assert {"etag", "x-amz-checksum-sha256"} <= listed(stored.headers["access-control-expose-headers"])
    service.jobs.cancel(job["job_id"])

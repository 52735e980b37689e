"""A second endpoint through the API of the deployed template: made, used, asleep, deleted, and nothing of it left."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from tests.child_processes import children_with
from tests.patience import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

TINY = (sys.executable, str(Path(__file__).parents[1] / "local_cloud" / "tiny_container.py"))
NAME = "goc-main-second"
ALARMS = {f"{NAME}-Grow", f"{NAME}-Sleep", f"{NAME}-WakeUp"}


def wait(look: Callable[[], Any], *, seconds: float = 90) -> Any:
    """The first true value `look` gives; fails the test after so long."""
    return wait_for(look, "what the test waits for", seconds=seconds, every=0.1)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    greeting = {"GREETING": "hello"}
    folder = tmp_path_factory.mktemp("endpoints")
    with LocalCloud(folder, container_command=TINY, container_environment=greeting) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def api(cloud: LocalCloud) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.api_url, headers={"x-api-key": cloud.admin_key}, timeout=90) as client:
        yield client


def shown(api: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = api.get("/v1/endpoints/second").json()
    return answer


def containers(cloud: LocalCloud) -> int:
    return len(children_with(cloud.pid, "tiny_container.py"))


def test_an_endpoint_is_made_used_changed_and_deleted_and_leaves_nothing(cloud: LocalCloud, api: httpx.Client) -> None:
    clients = LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region)
    sagemaker, bucket = clients.client("sagemaker"), cloud.outputs["JobsBucketName"]
    clients.client("s3").put_object(Bucket=bucket, Key="jobs/one/request.json", Body=b'{"text": "a cat"}')

    made = api.post("/v1/endpoints", json={"name": "second", "instance_type": "ml.g5.xlarge", "max_instances": 2})
    assert made.status_code == 201, made.text
    wait(lambda: shown(api)["status"] == "InService")
    wait(lambda: containers(cloud) == 2)
    wait(lambda: alarms_of(clients) == ALARMS)
    answer = clients.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=NAME, InputLocation=f"s3://{bucket}/jobs/one/request.json", InferenceId="one"
    )
    output = wait(lambda: has_object(clients, answer["OutputLocation"]))
    changed = api.patch("/v1/endpoints/second", json={"idle_minutes": 1, "users": ["admin"]}).json()
    listed = {each["name"]: each["managed_by"] for each in api.get("/v1/endpoints").json()["endpoints"]}
    deleted = api.delete("/v1/endpoints/second")
    wait(lambda: api.get("/v1/endpoints/second").status_code == 404)

    assert made.json()["name"] == NAME
    assert output
    assert (changed["idle_minutes"], changed["users"]) == (1, ["admin"])
    assert listed == {"goc-main-default": "template", NAME: "api"}
    assert deleted.status_code == 202
    assert [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]] == ["goc-main-default"]
    for describe, name in ((sagemaker.describe_model, "ModelName"),):
        with pytest.raises(sagemaker.exceptions.ClientError, match="Could not find"):
            describe(**{name: NAME})
    assert alarms_of(clients) == set()
    wait(lambda: containers(cloud) == 1)


def alarms_of(clients: LocalClients) -> set[str]:
    cloudwatch: Any = clients.client("cloudwatch")  # type: ignore[call-overload]
    found = cloudwatch.describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"]
    return {alarm["AlarmName"] for alarm in found}


def has_object(clients: LocalClients, location: str) -> bool:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bool(clients.client("s3").list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"))

"""`make deploy` makes way for an endpoint that SageMaker lets nobody update."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infrastructure.config import StageConfig
from infrastructure.failed_endpoint import remove_failed_endpoint
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template

CONFIG = StageConfig(stage="failed")
STACK = f"{CONFIG.stack_name}-Inference"
IN_STACK = ("Model", "Config", "Endpoint")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, assembly: Path) -> Iterator[Tiny]:
    """No container starts there."""
    with LocalCloud(
        tmp_path_factory.mktemp("broken"),
        assembly=assembly,
        container_command=CONTAINER,
        container_environment={"CONTAINER_END": "7"},
    ) as cloud:
        yield Tiny(cloud)


def client_of(tiny: Tiny, service: str) -> Any:
    return LocalClients(tiny.cloud.endpoint_url, tiny.cloud.root).client(service)  # type: ignore[call-overload]


def inference_stack(tiny: Tiny) -> str:
    """The tiny stack's endpoint under the stage's name, with what it needs of the other resources by their names."""
    resources = {name: value for name, value in template()["Resources"].items() if name in IN_STACK}
    resources["Endpoint"]["Properties"]["EndpointName"] = CONFIG.default_endpoint
    resources["Model"]["Properties"]["ExecutionRoleArn"] = "arn:aws:iam::000000000000:role/none"
    output = {"S3OutputPath": f"s3://{tiny.cloud.outputs['BucketName']}/out"}
    resources["Config"]["Properties"]["AsyncInferenceConfig"] = {"OutputConfig": output}
    return json.dumps({"Resources": resources})


def test_the_stack_of_a_failed_endpoint_is_deleted_so_that_the_next_deployment_makes_another(broken: Tiny) -> None:
    client, said = partial(client_of, broken), list[str]()
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=inference_stack(broken))
    sagemaker, name = client("sagemaker"), CONFIG.default_endpoint

    def status() -> str | None:
        try:
            return str(sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"])
        except ClientError:
            return None

    broken.wait(lambda: status() == "Failed", seconds=60)

    removed = remove_failed_endpoint(client, CONFIG, say=said.append)

    assert removed
    assert status() is None
    assert said[0].startswith(f"endpoint {name} is Failed: the container could not be started 3 times")
    assert said[0].endswith(f"it cannot be updated; deleting {STACK} first")
    with pytest.raises(ClientError, match="does not exist"):
        client("cloudformation").describe_stacks(StackName=STACK)


def test_a_stage_without_an_endpoint_is_left_alone(broken: Tiny) -> None:
    assert not remove_failed_endpoint(partial(client_of, broken), StageConfig(stage="none"), say=pytest.fail)


def test_an_endpoint_in_service_is_left_alone(shared: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StageConfig, "default_endpoint", property(lambda _: shared.cloud.endpoint_name))

    assert not remove_failed_endpoint(partial(client_of, shared), CONFIG, say=pytest.fail)

"""The local SageMaker starts no more instances than the account's quota allows."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_cloud.account import quota_name
from local_cloud.assembly import DeploymentError
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.deployment import Deployer
from local_cloud.preflight import CannotStartError
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template, write_assembly

KIND = "ml.g5.xlarge"


def limited(cloud: LocalCloud, quota: int) -> LocalCloud:
    cloud.settings.state_dir.mkdir(exist_ok=True)
    cloud.settings.account_file.write_text(json.dumps({"quotas": {quota_name(KIND): quota}}))
    return cloud


def changed() -> dict[str, Any]:
    stack = template(idle_seconds=1)
    stack["Resources"]["Endpoint"]["Properties"]["Tags"] = [{"Key": "changed", "Value": "yes"}]
    return stack


def test_a_new_account_gets_no_endpoint(tmp_path: Path, assembly: Path) -> None:
    cloud = limited(LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER), 0)

    with pytest.raises(
        CannotStartError, match=r"'ml.g5.xlarge for endpoint usage' is 0 Instances.*ResourceLimitExceeded"
    ):
        cloud.start()


def test_an_update_needs_a_second_instance_while_the_endpoint_is_awake_and_none_while_it_sleeps(tmp_path: Path) -> None:
    folder = tmp_path / "assembly"
    before = write_assembly(folder, template(idle_seconds=1))
    with limited(LocalCloud(tmp_path / "state", assembly=before, container_command=CONTAINER), 1) as cloud:
        tiny = Tiny(cloud)
        deployer = Deployer(LocalClients(cloud.endpoint_url, cloud.root))

        with pytest.raises(DeploymentError, match="current utilization of 1 Instances and a request delta of 1"):
            deployer.deploy(write_assembly(folder, changed()))

        tiny.submit("first", {"text": "good evening"})
        tiny.message("first")
        tiny.wait(lambda: _counts(tiny) == (0, "InService"))
        deployer.deploy(write_assembly(folder, changed()))


def _counts(tiny: Tiny) -> tuple[int, str]:
    found = tiny.sagemaker.describe_endpoint(EndpointName=tiny.cloud.endpoint_name)
    return found["ProductionVariants"][0]["DesiredInstanceCount"], found["EndpointStatus"]

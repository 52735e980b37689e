"""`make destroy` on the local cloud: nothing of the stage is left, or only what was to be kept."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from infrastructure.config import StageConfig
from infrastructure.teardown import Teardown
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

ROOT = Path(__file__).parents[2]
TINY = (sys.executable, str(Path(__file__).parents[1] / "local_cloud" / "tiny_container.py"))


def a_client(clients: LocalClients, service: str) -> Any:
    """Any client, by a name that is only known at run time."""
    return clients.client(service)  # type: ignore[call-overload]


def names_left(clients: LocalClients, outputs: dict[str, str]) -> set[str]:
    """Which of the stage's tables and buckets still exist."""
    tables = set(clients.client("dynamodb").list_tables()["TableNames"])
    buckets = {bucket["Name"] for bucket in clients.client("s3").list_buckets()["Buckets"]}
    return {value for name, value in outputs.items() if name.endswith(("TableName", "BucketName"))} & (tables | buckets)


def test_destroy_leaves_the_data_when_asked_and_otherwise_nothing(tmp_path: Path) -> None:
    with LocalCloud(tmp_path / "state", container_command=TINY) as cloud:
        clients = LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region)
        said: list[str] = []
        teardown = Teardown(StageConfig(), partial(a_client, clients), said.append)
        first = dict(cloud.outputs)
        made = httpx.post(
            f"{cloud.api_url}/v1/endpoints",
            json={"name": "extra", "instance_type": "ml.g5.xlarge"},
            headers={"x-api-key": cloud.admin_key},
            timeout=90,
        )
        cloudwatch = a_client(clients, "cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="goc-main-extra-Sleep",
            Namespace="AWS/SageMaker",
            MetricName="ApproximateBacklogSize",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=5,
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
        )
        sagemaker = clients.client("sagemaker")
        sagemaker.create_model(ModelName="goc-main-half", ExecutionRoleArn="arn:aws:iam::000000000000:role/container")

        kept = teardown.run(keep_data=True)
        left_of_the_first = names_left(clients, first)
        with pytest.raises(ClientError, match="does not exist"):
            clients.client("cloudformation").describe_stacks(StackName="GenerateOnCloud")
        endpoints = sagemaker.list_endpoints()["Endpoints"]
        models = sagemaker.list_models()["Models"]
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix="goc-main-")["MetricAlarms"]

        cloud.restart()
        second = dict(cloud.outputs)
        clients.client("s3").put_object(Bucket=second["AssetsBucketName"], Key="assets/a/model", Body=b"weights")
        clients.client("s3").create_multipart_upload(Bucket=second["AssetsBucketName"], Key="assets/b/model")
        logs = a_client(clients, "logs")
        logs.create_log_group(logGroupName="/aws/sagemaker/Endpoints/goc-main-extra")
        nothing = teardown.run(keep_data=False)
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]

        assert made.status_code == 201
        assert said[:2] == ["endpoint goc-main-extra", "ModelName goc-main-half"]
        assert said[2].startswith("alarms goc-main-extra-")
        assert said[3:5] == ["stack GenerateOnCloud-Inference", "stack GenerateOnCloud"]
        assert (models, alarms) == ([], [])
        assert set(kept) == left_of_the_first
        assert len(kept) >= 5
        assert endpoints == []
        assert (nothing, groups) == ([], [])
        assert names_left(clients, second) == set()


def test_a_stage_with_a_key_of_its_own_deploys_and_destroy_ends_the_key_with_the_data(tmp_path: Path) -> None:
    assembly = tmp_path / "assembly"
    synth = [sys.executable, "app.py", "-o", str(assembly), "-c", "local=true", "-c", "kms_key=new"]
    subprocess.run(synth, cwd=ROOT, check=True, timeout=300)
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=TINY) as cloud:
        clients = LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region)
        kms = a_client(clients, "kms")
        said: list[str] = []
        teardown = Teardown(StageConfig(), partial(a_client, clients), said.append)
        (key,) = [each["KeyId"] for each in kms.list_keys()["Keys"]]
        listed = httpx.get(f"{cloud.api_url}/v1/jobs", headers={"x-api-key": cloud.admin_key}, timeout=90)

        nothing = teardown.run(keep_data=False)

        assert listed.status_code == 200
        assert nothing == []
        assert said[-2:] == [f"key {key}, in 7 days", "stack GenerateOnCloud"]
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
        assert names_left(clients, dict(cloud.outputs)) == set()

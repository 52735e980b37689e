"""`make destroy` on stacks of data: what CloudFormation would refuse or take along, and a run that ended half-way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from infrastructure.config import StageConfig
from infrastructure.deployed import ClientOf
from infrastructure.teardown import DataWouldGoError, Teardown
from local_cloud.clients import LocalClients
from tests.local_cloud.tiny_stack import Tiny

CONFIG = StageConfig(stage="gone")
KEPT = "RetainExceptOnCreate"
"""What stages with `keep_data` are deployed with."""
TABLE = {
    "KeySchema": [{"AttributeName": "job_id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "job_id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@dataclass
class Stage:
    """A core stack of a bucket with an object in it, a table and a key."""

    client: ClientOf
    said: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Bucket, Table and Key."""

    def deploy(self, *, policy: str) -> None:
        kinds = {"Bucket": "AWS::S3::Bucket", "Table": "AWS::DynamoDB::Table", "Key": "AWS::KMS::Key"}
        more: dict[str, object] = {"Table": TABLE}
        resources = {
            name: {"Type": kind, "DeletionPolicy": policy, "Properties": more.get(name, {})}
            for name, kind in kinds.items()
        }
        formation = self.client("cloudformation")
        formation.create_stack(StackName=CONFIG.stack_name, TemplateBody=json.dumps({"Resources": resources}))
        formation.get_waiter("stack_create_complete").wait(StackName=CONFIG.stack_name, WaiterConfig={"Delay": 1})
        found = formation.describe_stack_resources(StackName=CONFIG.stack_name)["StackResources"]
        self.names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}
        self.client("s3").put_object(Bucket=self.names["Bucket"], Key="jobs/a/output/0.png", Body=b"picture")

    def destroy(self, *, keep_data: bool, client: ClientOf | None = None) -> list[str]:
        return Teardown(CONFIG, client or self.client, self.said.append).run(keep_data=keep_data)

    def left(self) -> set[str]:
        """Bucket and Table, as far as they are there, Key while it is not to be deleted, and Stack."""
        buckets = [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]
        state = self.client("kms").describe_key(KeyId=self.names["Key"])["KeyMetadata"]["KeyState"]
        here = {*buckets, *self.client("dynamodb").list_tables()["TableNames"]}
        if state != "PendingDeletion":
            here.add(self.names["Key"])
        try:
            self.client("cloudformation").describe_stacks(StackName=CONFIG.stack_name)
        except ClientError:
            return {name for name, physical in self.names.items() if physical in here}
        return {name for name, physical in self.names.items() if physical in here} | {"Stack"}


def client_of(clients: LocalClients, service: str) -> Any:
    return clients.client(service)  # type: ignore[call-overload]


@pytest.fixture
def stage(shared: Tiny) -> Iterator[Stage]:
    one = Stage(partial(client_of, LocalClients(shared.cloud.endpoint_url, shared.cloud.root)))
    yield one
    one.destroy(keep_data=False)


class Breaking:
    """CloudFormation that refuses to delete a stack."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def delete_stack(self, **_: str) -> None:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DeleteStack")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Busy:
    """S3 in which somebody writes once more, just before the bucket is deleted."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._written = False

    def delete_bucket(self, **named: str) -> None:
        if not self._written:
            self._written = True
            self._real.put_object(Bucket=named["Bucket"], Key="jobs/late/params.json", Body=b"{}")
        self._real.delete_bucket(**named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_a_first_deployment_that_fails_leaves_no_table_and_no_bucket_behind(shared: Tiny) -> None:
    client = partial(client_of, LocalClients(shared.cloud.endpoint_url, shared.cloud.root))
    formation, before = client("cloudformation"), client("s3").list_buckets()["Buckets"]
    tables = client("dynamodb").list_tables()["TableNames"]
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": KEPT},
        "Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": KEPT, "Properties": TABLE},
        "Model": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "DependsOn": ["Bucket", "Table"],
            "Properties": {"ProductionVariants": []},
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {"EndpointConfigName": {"Fn::GetAtt": ["Model", "EndpointConfigName"]}},
        },
    }

    formation.create_stack(StackName="failing", TemplateBody=json.dumps({"Resources": resources}))
    with pytest.raises(WaiterError):
        formation.get_waiter("stack_create_complete").wait(StackName="failing", WaiterConfig={"Delay": 1})
    shared.wait(lambda: status_of(formation, "failing") == "ROLLBACK_COMPLETE")

    assert client("s3").list_buckets()["Buckets"] == before
    assert client("dynamodb").list_tables()["TableNames"] == tables
    formation.delete_stack(StackName="failing")


def status_of(formation: Any, stack: str) -> str:
    return str(formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def test_a_bucket_that_is_written_to_meanwhile_is_emptied_again(stage: Stage) -> None:
    stage.deploy(policy=KEPT)
    busy = Busy(stage.client("s3"))

    stage.destroy(keep_data=False, client=lambda service: busy if service == "s3" else stage.client(service))

    assert stage.left() == set()


def test_data_goes_before_the_stack_that_knows_its_names_and_refuses_a_bucket_that_is_not_empty(stage: Stage) -> None:
    stage.deploy(policy=KEPT)

    kept = stage.destroy(keep_data=False)

    bucket, table, key = (stage.names[name] for name in ("Bucket", "Table", "Key"))
    assert stage.said == [f"bucket {bucket}", f"table {table}", f"key {key}, in 7 days", f"stack {CONFIG.stack_name}"]
    assert (kept, stage.left()) == ([], set())


def test_a_key_that_goes_with_its_stack_is_left_to_cloudformation(stage: Stage) -> None:
    stage.deploy(policy="Delete")

    stage.destroy(keep_data=False)

    assert [line.split()[0] for line in stage.said] == ["bucket", "table", "stack"]
    assert stage.left() == set()


def test_what_ended_half_way_is_gone_on_with(stage: Stage) -> None:
    def breaking(service: str) -> Any:
        return Breaking(stage.client(service)) if service == "cloudformation" else stage.client(service)

    stage.deploy(policy=KEPT)

    with pytest.raises(ClientError, match="Rate exceeded"):
        stage.destroy(keep_data=False, client=breaking)
    left_by_the_first = stage.left()
    stage.destroy(keep_data=False)

    assert left_by_the_first == {"Stack"}
    assert stage.left() == set()


def test_data_that_is_to_be_kept_is_not_given_to_a_stack_that_takes_it_along(stage: Stage) -> None:
    stage.deploy(policy="Delete")

    with pytest.raises(DataWouldGoError, match="deploy it with -c keep_data=true first") as refused:
        stage.destroy(keep_data=True)

    assert stage.names["Bucket"] in str(refused.value)
    assert stage.left() == {"Bucket", "Table", "Key", "Stack"}


def test_data_that_outlives_its_stack_is_kept_when_asked(stage: Stage) -> None:
    stage.deploy(policy=KEPT)

    kept = stage.destroy(keep_data=True)

    assert sorted(kept) == sorted(stage.names.values())
    assert stage.left() == {"Bucket", "Table", "Key"}
    stage.client("s3").delete_object(Bucket=stage.names["Bucket"], Key="jobs/a/output/0.png")
    stage.client("s3").delete_bucket(Bucket=stage.names["Bucket"])
    stage.client("dynamodb").delete_table(TableName=stage.names["Table"])

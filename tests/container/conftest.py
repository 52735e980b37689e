"""Buckets and a jobs table in memory, a clock that is set by hand, and a tiny checkpoint in the assets bucket."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.messages import AssetRef
from inference_container.job_record import JobRecords
from tests.tiny_checkpoint import write_tiny_checkpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

JOBS_BUCKET, ASSETS_BUCKET, JOBS_TABLE = "jobs-bucket", "assets-bucket", "jobs-table"


@dataclass
class HandClock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Cloud:
    """What the container sees of AWS."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"

    def put_job(self, job_id: str, status: str, **attributes: Any) -> None:
        item = {"job_id": {"S": job_id}, "status": {"S": status}, **attributes}
        self.dynamodb.put_item(TableName=JOBS_TABLE, Item=item)

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.dynamodb.get_item(TableName=JOBS_TABLE, Key={"job_id": {"S": job_id}}).get("Item", {}))

    def cancel(self, job_id: str) -> None:
        self.dynamodb.update_item(
            TableName=JOBS_TABLE,
            Key={"job_id": {"S": job_id}},
            UpdateExpression="SET cancel_requested = :true",
            ExpressionAttributeValues={":true": {"BOOL": True}},
        )

    def skip(self, job_id: str, times: int) -> None:
        self.dynamodb.update_item(
            TableName=JOBS_TABLE,
            Key={"job_id": {"S": job_id}},
            UpdateExpression="SET skips = :times",
            ExpressionAttributeValues={":times": {"N": str(times)}},
        )

    def put_asset(
        self, data: bytes, *, name: str = "model.safetensors", asset_id: str = "a1", declared: bool = True
    ) -> AssetRef:
        key = f"assets/{asset_id}/{name}"
        self.s3.put_object(Bucket=ASSETS_BUCKET, Key=key, Body=data)
        return AssetRef(
            asset_id=asset_id,
            type=AssetType.CHECKPOINT,
            name=name,
            key=key,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest() if declared else None,
        )

    def records(self, *, worker_id: str = "worker-1", clock: HandClock | None = None) -> JobRecords:
        clock = clock or HandClock()
        return JobRecords(self.dynamodb, JOBS_TABLE, worker_id, clock=clock, sleep=clock.sleep)

    def output_keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=JOBS_BUCKET).get("Contents", [])]


@pytest.fixture(scope="module")
def clients() -> Iterator[Cloud]:
    """Made once a module, because making boto3 clients takes longer than most tests here."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield Cloud(boto3.client("s3", region_name="us-east-1"), boto3.client("dynamodb", region_name="us-east-1"))


@pytest.fixture
def cloud(clients: Cloud) -> Iterator[Cloud]:
    for bucket in (JOBS_BUCKET, ASSETS_BUCKET):
        clients.s3.create_bucket(Bucket=bucket)
    clients.dynamodb.create_table(
        TableName=JOBS_TABLE,
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield clients
    clients.dynamodb.delete_table(TableName=JOBS_TABLE)
    for name in [bucket["Name"] for bucket in clients.s3.list_buckets()["Buckets"]]:
        for found in clients.s3.list_objects_v2(Bucket=name).get("Contents", []):
            clients.s3.delete_object(Bucket=name, Key=found["Key"])
        clients.s3.delete_bucket(Bucket=name)


@pytest.fixture(scope="session")
def tiny_checkpoint_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = write_tiny_checkpoint(tmp_path_factory.mktemp("container") / "tiny.safetensors")
    return path.read_bytes()

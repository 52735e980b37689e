"""The input of every scenario: access to a local cloud, with names that no other scenario uses."""

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from checks.grants.deployed import client, function_named
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import txt2img

LARGE = 129 * 1024**2
"""A size that the function inspects and not the API."""


class Visit:
    """One scenario's access to a local cloud, with names that no other scenario uses."""

    def __init__(self, cloud: LocalCloud, service: GenerateOnCloud, folder: Path) -> None:
        self.cloud = cloud
        self.service = service
        self.folder = folder
        self.mark = secrets.token_hex(3)

    def ask(self, method: str, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        headers = {"x-api-key": key or self.cloud.admin_key}
        return httpx.request(method, f"{self.cloud.api_url}/v1/{path}", json=body, headers=headers, timeout=60)

    def done(self) -> str:
        """Run a job until it succeeds; returns its id."""
        job = self.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT))
        job_id = self.service.jobs.finish(job.job_id).job_id
        self.settled(job_id)
        return job_id

    def row(self, table: str, key: str, value: str) -> dict[str, Any]:
        """A row in DynamoDB's notation."""
        answer = client(self.cloud, "dynamodb").get_item(TableName=self.table(table), Key={key: {"S": value}})
        row: dict[str, Any] = answer["Item"]
        return row

    def table(self, part: str) -> str:
        names = client(self.cloud, "dynamodb").list_tables()["TableNames"]
        return next(str(name) for name in names if part in name)

    def assets_bucket(self) -> str:
        return self.cloud.outputs["AssetsBucketName"]

    def settled(self, job_id: str) -> None:
        """Wait until a finished job is settled."""
        deadline = time.monotonic() + 60
        while "open" in self.row("JobsTable", "job_id", job_id):
            assert time.monotonic() < deadline, "the job was never settled"
            time.sleep(0.1)

    def invoke(self, function: str, event: object) -> Any:
        """Invoke a function as AWS does, a schedule sends an empty event; returns what it returns."""
        name = function_named(self.cloud, function)
        answer = client(self.cloud, "lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = answer["Payload"].read()
        assert "FunctionError" not in answer, payload
        return json.loads(payload)

    def sweep(self, job_id: str, **values: object) -> dict[str, Any]:
        """Make a finished job look lost by writing `values` (None removes), run the sweeper and return the row."""
        self.unsettle(job_id, **values)
        self.invoke("Sweeper", {})
        return self.row("JobsTable", "job_id", job_id)

    def unsettle(self, job_id: str, **values: object) -> None:
        """Reopen a finished job and write `values` (None removes)."""
        row = self.row("JobsTable", "job_id", job_id)
        row["open"] = {"S": "1"}
        for name, value in values.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = {"N": str(value)} if isinstance(value, int) else {"S": str(value)}
        for name in ("finished_at", "error", "output_sent"):
            row.pop(name, None)
        client(self.cloud, "dynamodb").put_item(TableName=self.table("JobsTable"), Item=row)

    def change_asset(self, asset_id: str, **values: str) -> None:
        """Overwrite attributes of a row in the assets table."""
        row = self.row("AssetsTable", "asset_id", asset_id) | {name: {"S": value} for name, value in values.items()}
        client(self.cloud, "dynamodb").put_item(TableName=self.table("AssetsTable"), Item=row)

    def begin_upload(self) -> dict[str, Any]:
        """Begin an upload; returns the answer of `POST /v1/assets`."""
        body = {"type": "vae", "name": f"begun-{self.mark}.safetensors", "size": 1000}
        asset: dict[str, Any] = self.ask("POST", "assets", body).raise_for_status().json()
        return asset

    def throw_away(self, asset_id: str) -> None:
        """Delete an asset's objects from storage."""
        s3, bucket = client(self.cloud, "s3"), self.assets_bucket()
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            if asset_id in upload["Key"]:
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for key in self.objects(asset_id):
            s3.delete_object(Bucket=bucket, Key=key)

    def unfinished(self, asset_id: str) -> list[str]:
        """Keys of an asset's multipart uploads that were neither completed nor aborted."""
        uploads = client(self.cloud, "s3").list_multipart_uploads(Bucket=self.assets_bucket()).get("Uploads", [])
        return [upload["Key"] for upload in uploads if asset_id in upload["Key"]]

    def objects(self, asset_id: str) -> list[str]:
        """Keys of an asset's objects."""
        answer = client(self.cloud, "s3").list_objects_v2(Bucket=self.assets_bucket(), Prefix=f"assets/{asset_id}/")
        return [each["Key"] for each in answer.get("Contents", [])]

    def until_status(self, asset_id: str, status: str) -> None:
        deadline = time.monotonic() + 60
        while (asset := self.ask("GET", f"assets/{asset_id}").json())["status"] != status:
            assert time.monotonic() < deadline, f"the asset never became {status}: {asset}"
            time.sleep(0.3)


Scenario = Callable[[Visit], None]


def ago(**parts: int) -> str:
    return (datetime.now(UTC) - timedelta(**parts)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

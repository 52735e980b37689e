"""Scenarios of what users and the cloud do; together they use the grants of every role."""

import base64
import io
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain, combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psutil

from checks.grants.deployed import client, function_named
from checks.grants.import_handler import site_folder
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.asset_bodies import ChangeAsset
from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.test_whole_system import container_of, endless, img2img, picture, txt2img, until, until_queued_or_ended
from tests.fetch.local_sites import Handler as SiteHandler
from tests.fetch.local_sites import open_sites
from tests.tiny_checkpoint import write_tiny_checkpoint

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

    def invoke(self, function: str, event: object) -> None:
        """Invoke a function as AWS does; a schedule sends an empty event."""
        name = function_named(self.cloud, function)
        answer = client(self.cloud, "lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()

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
        for key in objects(self, asset_id):
            s3.delete_object(Bucket=bucket, Key=key)


Scenario = Callable[[Visit], None]


def ago(**parts: int) -> str:
    return (datetime.now(UTC) - timedelta(**parts)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def upload_a_checkpoint(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"another-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset = visit.service.assets.upload(path, "checkpoint")
    visit.service.assets.change(asset.asset_id, ChangeAsset(name=f"renamed-{visit.mark}.safetensors"))
    visit.service.assets.page(asset_type="checkpoint")
    visit.service.assets.page()
    visit.service.assets.delete(asset.asset_id)


def upload_a_large_file(visit: Visit) -> None:
    path = visit.folder / f"large-{visit.mark}.safetensors"
    path.write_bytes(b"\xff" * LARGE)
    asset = visit.ask("POST", "assets", {"type": "checkpoint", "name": path.name, "size": LARGE}).json()
    for part in asset["upload"]["parts"]:
        data = path.read_bytes()[part["offset"] : part["offset"] + part["size"]]
        httpx.put(part["url"], content=data, timeout=60).raise_for_status()
    visit.ask("POST", f"assets/{asset['asset_id']}/complete", {}).raise_for_status()
    until_status(visit, asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()
    path.unlink()


def break_off_an_upload(visit: Visit) -> None:
    asset = visit.ask(
        "POST", "assets", {"type": "vae", "name": f"broken-off-{visit.mark}.safetensors", "size": 1000}
    ).json()
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()
    assert not unfinished(visit, asset["asset_id"]), "parts of the upload remain and cost money"


def unfinished(visit: Visit, asset_id: str) -> list[str]:
    """Keys of an asset's multipart uploads that were neither completed nor aborted."""
    uploads = client(visit.cloud, "s3").list_multipart_uploads(Bucket=visit.assets_bucket()).get("Uploads", [])
    return [upload["Key"] for upload in uploads if asset_id in upload["Key"]]


def objects(visit: Visit, asset_id: str) -> list[str]:
    """Keys of an asset's objects."""
    answer = client(visit.cloud, "s3").list_objects_v2(Bucket=visit.assets_bucket(), Prefix=f"assets/{asset_id}/")
    return [each["Key"] for each in answer.get("Contents", [])]


def draw_with_a_checkpoint_nobody_had(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"new-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset = visit.service.assets.upload(path, "checkpoint")
    job = visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=path.name))
    visit.service.jobs.finish(job.job_id)
    visit.service.assets.delete(asset.asset_id)


def draw_with_a_checkpoint_that_is_gone(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"gone-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset = visit.service.assets.upload(path, "checkpoint")
    visit.throw_away(asset.asset_id)
    job = visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=path.name))
    *_, failed = visit.service.jobs.watch(job.job_id)
    assert failed.error is not None, failed
    assert failed.error.code is JobErrorCode.ASSET_MISSING, failed.error
    visit.settled(job.job_id)
    visit.service.assets.delete(asset.asset_id)


def complete_an_upload_that_is_gone(visit: Visit) -> None:
    asset = visit.begin_upload()
    visit.throw_away(asset["asset_id"])
    answer = visit.ask("POST", f"assets/{asset['asset_id']}/complete", {})
    assert answer.json().get("code") == "upload_incomplete", answer.text
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def import_what_was_thrown_away(visit: Visit) -> None:
    asset = visit.begin_upload()
    visit.throw_away(asset["asset_id"])
    visit.change_asset(asset["asset_id"], status="importing")
    visit.invoke("AssetImport", {"asset_id": asset["asset_id"], "url": "https://models.example/x"})
    until_status(visit, asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def inspect_what_is_gone(visit: Visit) -> None:
    asset = visit.begin_upload()
    visit.throw_away(asset["asset_id"])
    visit.change_asset(asset["asset_id"], status="inspecting")
    visit.invoke("AssetInspection", {"asset_id": asset["asset_id"]})
    until_status(visit, asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def import_a_checkpoint(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"imported-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset_id = imported(visit, path.read_bytes(), status="active")
    visit.service.assets.delete(asset_id)


def import_what_is_no_checkpoint(visit: Visit) -> None:
    asset_id = imported(visit, b"\xff" * 1000, status="failed")
    assert not objects(visit, asset_id), "a refused file remains and costs money"


def import_a_large_file(visit: Visit) -> None:
    imported(visit, b"\xff" * LARGE, status="failed", error="its header claims")


def import_what_is_not_there(visit: Visit) -> None:
    asset_id = imported(visit, None, status="failed", error="404")
    assert not unfinished(visit, asset_id), "parts of the upload stay and cost money"


def imported(visit: Visit, data: bytes | None, *, status: str, error: str = "") -> str:
    """Import an asset from a site on this machine and wait for `status`; returns its id.

    If `data` is None, the site does not have the file.
    """
    name = f"imported-{visit.mark}.safetensors"
    with open_sites(site_folder(visit.cloud)) as sites:
        if data is None:
            url = sites.on("/x", lambda handler: handler.answer(status=404))
        else:
            url = sites.on("/x", partial(send, data=data))
        asset = visit.ask("POST", "assets", {"type": "checkpoint", "name": name, "source_url": url})
        asset_id = str(asset.raise_for_status().json()["asset_id"])
        until_status(visit, asset_id, status)
    said = visit.ask("GET", f"assets/{asset_id}").json().get("error") or ""
    assert error in said, said
    return asset_id


def send(handler: SiteHandler, *, data: bytes) -> None:
    handler.answer(data)


def until_status(visit: Visit, asset_id: str, status: str) -> None:
    deadline = time.monotonic() + 60
    while visit.ask("GET", f"assets/{asset_id}").json()["status"] != status:
        assert time.monotonic() < deadline, f"the asset never became {status}"
        time.sleep(0.3)


def run_a_job(visit: Visit) -> None:
    job = visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=img2img(), checkpoint=CHECKPOINT))
    done = visit.service.jobs.finish(job.job_id)
    visit.service.jobs.save(done, visit.folder)
    visit.settled(done.job_id)
    filters = {"task": "img2img", "status": "succeeded", "endpoint": done.endpoint}
    for chosen in chain.from_iterable(combinations(filters.items(), count) for count in range(4)):
        visit.ask("GET", f"jobs?{urlencode(chosen)}").raise_for_status()


def draw_an_uploaded_picture(visit: Visit) -> None:
    buffer = io.BytesIO()
    picture().save(buffer, format="PNG")
    params = img2img(init_images=[visit.service.jobs.upload(buffer.getvalue())])
    visit.service.jobs.finish(
        visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT)).job_id
    )


def send_params_by_storage(visit: Visit) -> None:
    params = img2img(init_images=[picture_text(1100)])
    visit.service.jobs.finish(
        visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT)).job_id
    )


def picture_text(size: int) -> str:
    buffer = io.BytesIO()
    picture(size=size).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def fail_and_delete_a_job(visit: Visit) -> None:
    params = img2img(init_images=[picture_text(64)[:200]])
    job = visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT))
    *_, failed = visit.service.jobs.watch(job.job_id)
    assert failed.error is not None, failed
    assert failed.error.code is JobErrorCode.BAD_IMAGE, failed.error
    visit.settled(job.job_id)
    visit.service.jobs.delete(job.job_id)


def retry_and_delete_a_job(visit: Visit) -> None:
    again = visit.service.jobs.retry(visit.done())
    visit.service.jobs.finish(again.job_id)
    visit.service.jobs.delete(again.job_id)


def cancel_jobs(visit: Visit) -> None:
    running, waiting = (
        visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
        for _ in "ab"
    )
    until(visit.service, running, sampling=True)
    visit.service.jobs.get(waiting)
    visit.service.jobs.cancel(waiting)
    visit.service.jobs.cancel(running)
    until(visit.service, running, sampling=False)


def lose_a_worker(visit: Visit) -> None:
    job_id = visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
    until(visit.service, job_id, sampling=True)
    container: psutil.Process = container_of(visit.cloud)
    container.kill()
    container.wait(timeout=60)
    until_queued_or_ended(visit.service, job_id)
    assert until(visit.service, job_id, sampling=True).status is JobStatus.RUNNING
    visit.service.jobs.cancel(job_id)
    until(visit.service, job_id, sampling=False)


def tell_a_webhook(visit: Visit) -> None:
    name = f"told-{visit.mark}"
    visit.ask("POST", "users", {"name": name, "role": "artist", "quotas": {"concurrent_jobs": 2}}).raise_for_status()
    key = visit.ask("POST", "keys", {"user": name}).raise_for_status().json()["key"]
    visit.ask("POST", "me/webhook-secret", {}, key=key).raise_for_status()
    wanted = {"task": "txt2img", "checkpoint": CHECKPOINT, "params": txt2img()}
    wanted["webhook"] = {"url": "https://127.0.0.1:8443/hook"}
    unsent = {name: value for name, value in wanted.items() if name != "params"}
    canceled = visit.ask("POST", "jobs", unsent, key=key).raise_for_status().json()["job_id"]
    visit.ask("POST", f"jobs/{canceled}/cancel", key=key).raise_for_status()
    visit.settled(canceled)
    job_id = visit.ask("POST", "jobs", wanted, key=key).raise_for_status().json()["job_id"]
    visit.service.jobs.finish(job_id)
    until_told(visit, job_id, times=1)
    row = visit.sweep(job_id, status="running", heartbeat_at=int(time.time()) - 300)
    assert "open" not in row, row
    until_told(visit, job_id, times=2)


def until_told(visit: Visit, job_id: str, *, times: int) -> None:
    deadline = time.monotonic() + 60
    while len(visit.ask("GET", f"jobs/{job_id}/deliveries").json()["deliveries"]) < times:
        assert time.monotonic() < deadline, "the webhook was never attempted"
        time.sleep(0.3)


def manage_people(visit: Visit) -> None:
    visit.ask(
        "POST", "roles", {"name": f"painter-{visit.mark}", "permissions": ["inference:create"]}
    ).raise_for_status()
    visit.ask("POST", "users", {"name": f"paula-{visit.mark}", "role": f"painter-{visit.mark}"}).raise_for_status()
    key = visit.ask("POST", "keys", {"user": f"paula-{visit.mark}"}).raise_for_status().json()
    for path in (
        "users",
        "roles",
        "keys",
        "usage",
        f"users/paula-{visit.mark}",
        f"roles/painter-{visit.mark}",
        "endpoints",
        "health",
    ):
        visit.ask("GET", path).raise_for_status()
    visit.ask("DELETE", f"keys/{key['key_id']}").raise_for_status()
    visit.ask("DELETE", f"users/paula-{visit.mark}").raise_for_status()
    visit.ask("DELETE", f"roles/painter-{visit.mark}").raise_for_status()


def make_and_remove_an_endpoint(visit: Visit) -> None:
    name = f"granted-{visit.mark}"
    wanted = {"name": name, "instance_type": "ml.g5.xlarge", "max_instances": 2}
    visit.ask("POST", "endpoints", wanted).raise_for_status()
    until_endpoint(visit, name, "InService")
    until_scaled(visit, f"goc-main-{name}")
    until_recorded(visit, f"goc-main-{name}")
    visit.ask("PATCH", f"endpoints/{name}", {"idle_minutes": 1}).raise_for_status()
    body = {"task": "txt2img", "checkpoint": CHECKPOINT, "params": txt2img(), "endpoint": name}
    sent = visit.ask("POST", "jobs", body)
    assert sent.is_success, sent.text
    visit.service.jobs.finish(sent.json()["job_id"])
    visit.ask("DELETE", f"endpoints/{name}").raise_for_status()
    until_endpoint(visit, name, None)
    assert not alarms_of(visit, f"goc-main-{name}")


def take_away_endpoints(visit: Visit) -> None:
    """Remove endpoints of scenarios that stopped early; otherwise their containers would keep running."""
    for endpoint in visit.service.endpoints.list():
        name = endpoint.name.removeprefix("goc-main-")
        if name.startswith("granted-"):
            visit.ask("DELETE", f"endpoints/{name}?force=true")  # it may have been deleted meanwhile
            until_endpoint(visit, name, None)


def alarms_of(visit: Visit, endpoint: str) -> list[str]:
    found = client(visit.cloud, "cloudwatch").describe_alarms(AlarmNamePrefix=endpoint)["MetricAlarms"]
    return [alarm["AlarmName"] for alarm in found]


def until_scaled(visit: Visit, endpoint: str) -> None:
    deadline = time.monotonic() + 90
    while len(alarms_of(visit, endpoint)) < 3:
        assert time.monotonic() < deadline, "the endpoint was never scaled"
        visit.invoke("EndpointKeeper", {})
        time.sleep(0.3)


def until_recorded(visit: Visit, endpoint: str) -> None:
    """Wait until the endpoint's row shows its status and that its scaling is set."""
    deadline = time.monotonic() + 90
    while True:
        row = visit.row("EndpointsTable", "endpoint", endpoint)
        if row["status"]["S"] == "InService" and row["scaled"] == row["version"]:
            return
        assert time.monotonic() < deadline, f"the endpoint's row never showed that it is scaled and in service: {row}"
        visit.invoke("EndpointKeeper", {})
        time.sleep(0.3)


def until_endpoint(visit: Visit, name: str, status: str | None) -> None:
    """Wait until the endpoint has `status`; None: until it does not exist."""
    deadline = time.monotonic() + 90
    while True:
        answer = visit.ask("GET", f"endpoints/{name}")
        if status is None and answer.status_code == httpx.codes.NOT_FOUND:
            return
        if answer.is_success and answer.json()["status"] == status:
            return
        assert time.monotonic() < deadline, f"the endpoint never became {status or 'deleted'}"
        visit.invoke("EndpointKeeper", {})
        time.sleep(0.3)


def hear_of_a_failure_without_an_object(visit: Visit) -> None:
    job_id = visit.done()
    bucket, key = visit.cloud.outputs["JobsBucketName"], "endpoint-failure/none.out"
    visit.unsettle(job_id, status="running", output_key=None, failure_key=key)
    said = {
        "inferenceId": job_id,
        "invocationStatus": "Failed",
        "failureReason": "the container was stopped",
        "responseParameters": {"failureLocation": f"s3://{bucket}/{key}"},
    }
    body = json.dumps({"Message": json.dumps(said)})
    visit.invoke("JobEvents", {"Records": [{"messageId": visit.mark, "body": body}]})
    row = visit.row("JobsTable", "job_id", job_id)
    assert "worker_lost_at" in row, f"a job whose worker died was not handed over again: {row}"
    visit.service.jobs.finish(job_id)


def sweep_a_job_whose_message_was_lost(visit: Visit) -> None:
    row = visit.sweep(visit.done(), status="running", heartbeat_at=int(time.time()) - 300)
    assert (row["status"]["S"], "open" in row) == ("succeeded", False), row


def sweep_a_job_whose_worker_died(visit: Visit) -> None:
    job_id = visit.done()
    row = visit.sweep(
        job_id, status="running", heartbeat_at=int(time.time()) - 3600,
        output_key="endpoint-output/none.out", failure_key="endpoint-failure/none.out",
    )  # fmt: skip
    assert row.get("output_key") not in (None, {"S": "endpoint-output/none.out"}), row
    visit.service.jobs.finish(job_id)


def sweep_a_job_that_was_never_sent(visit: Visit) -> None:
    job_id = visit.done()
    row = visit.sweep(
        job_id, status="queued", output_key=None, failure_key=None,
        queued_at=ago(minutes=5), worker_id=None, heartbeat_at=None, started_at=None,
    )  # fmt: skip
    assert "output_key" in row, row
    visit.service.jobs.finish(job_id)


def give_up_an_old_upload(visit: Visit) -> None:
    asset = visit.ask("POST", "assets", {"type": "vae", "name": f"old-{visit.mark}.safetensors", "size": 1000}).json()
    row = visit.row("AssetsTable", "asset_id", asset["asset_id"]) | {"created_at": {"S": ago(days=8)}}
    client(visit.cloud, "dynamodb").put_item(TableName=visit.table("AssetsTable"), Item=row)
    visit.invoke("AssetInspection", {})
    until_status(visit, asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def make_the_first_key(visit: Visit) -> None:
    """Make the first key as CloudFormation does; it changes the secret, which is restored afterwards."""
    store = client(visit.cloud, "secretsmanager")
    (secret,) = [one["ARN"] for one in store.list_secrets()["SecretList"] if "AdminKey" in one["Name"]]
    store.put_secret_value(SecretId=secret, SecretString="as made by CloudFormation")
    try:
        with answer_of_cloudformation() as (url, said):
            visit.invoke("FirstKey", {"RequestType": "Create", **named_by_cloudformation(visit, url)})
        assert [one["Status"] for one in said] == ["SUCCESS"], said
    finally:
        store.put_secret_value(SecretId=secret, SecretString=visit.cloud.admin_key)


def named_by_cloudformation(visit: Visit, url: str) -> dict[str, str]:
    return {"ResponseURL": url, **dict.fromkeys(("StackId", "RequestId", "LogicalResourceId"), visit.mark)}


@contextmanager
def answer_of_cloudformation() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address that custom resources answer to, and their answers."""
    said: list[dict[str, Any]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", said
        finally:
            server.shutdown()
            thread.join()


LOGGED: Mapping[str, Mapping[str, object]] = {
    "EndpointKeeper": {},
    "Sweeper": {},
    "AssetInspection": {},
    "AssetImport": {"asset_id": "0" * 32, "url": "https://models.example/"},
    "FirstKey": {"RequestType": "Delete"},
    "JobEvents": {"Records": []},
    "Webhooks": {"Records": []},
}
"""Functions, each with an event that gives it nothing to do."""


def writing_the_log_of(function: str) -> Scenario:
    """The scenario in which a function only writes its log."""

    def write(visit: Visit) -> None:
        lines = len(log_of(visit, function))
        if function == "FirstKey":
            with answer_of_cloudformation() as (url, _):
                visit.invoke(function, {**LOGGED[function], **named_by_cloudformation(visit, url)})
        elif function in LOGGED:
            visit.invoke(function, LOGGED[function])
        else:
            visit.ask("GET", "health").raise_for_status()
        until_logged(visit, function, lines)

    write.__name__ = f"write_the_log_of_{function}"
    return write


def until_logged(visit: Visit, function: str, lines: int) -> None:
    deadline = time.monotonic() + 60
    while len(log_of(visit, function)) <= lines:
        assert time.monotonic() < deadline, f"{function} wrote no log"
        time.sleep(0.2)


def log_of(visit: Visit, function: str) -> list[Any]:
    logs = client(visit.cloud, "logs")
    name = function_named(visit.cloud, function)
    group = client(visit.cloud, "lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event for page in pages for event in page["events"]]


SCENARIOS: tuple[Scenario, ...] = (
    break_off_an_upload,
    manage_people,
    *(writing_the_log_of(function) for function in ("Api", *LOGGED)),
    give_up_an_old_upload,
    make_the_first_key,
    run_a_job,
    upload_a_checkpoint,
    draw_an_uploaded_picture,
    fail_and_delete_a_job,
    sweep_a_job_whose_message_was_lost,
    sweep_a_job_whose_worker_died,
    sweep_a_job_that_was_never_sent,
    send_params_by_storage,
    retry_and_delete_a_job,
    tell_a_webhook,
    upload_a_large_file,
    cancel_jobs,
    lose_a_worker,
    make_and_remove_an_endpoint,
    draw_with_a_checkpoint_nobody_had,
    draw_with_a_checkpoint_that_is_gone,
    hear_of_a_failure_without_an_object,
    complete_an_upload_that_is_gone,
    inspect_what_is_gone,
    import_what_was_thrown_away,
    import_a_checkpoint,
    import_what_is_no_checkpoint,
    import_what_is_not_there,
    import_a_large_file,
)
"""Quick ones first: a grant is tried with the first one that needs it, unless `NOTICED_BY` names another."""

NOTICED_BY: tuple[tuple[str, str], ...] = (
    *((rf"{function} logs:.*", f"write_the_log_of_{function}") for function in ("Api", *LOGGED)),
    (r"Container s3:GetObject .*AssetsBucket.*", "draw_with_a_checkpoint_nobody_had"),
    (r"EndpointKeeper dynamodb:(GetItem|UpdateItem) .*", "make_and_remove_an_endpoint"),
    (r"AssetImport s3:AbortMultipartUpload .*", "import_what_is_not_there"),
    (r"AssetImport s3:DeleteObject .*", "import_what_is_no_checkpoint"),
)
"""Pattern of `role action resource` → the scenario that fails without it; others use it but ignore a refusal."""


def scenario_for(subject: str, needing: Sequence[str]) -> str | None:
    """The scenario to try a grant (`role action resource`) with, out of those that use it."""
    for pattern, name in NOTICED_BY:
        if re.fullmatch(pattern, subject) and name in needing:
            return name
    return next((one.__name__ for one in SCENARIOS if one.__name__ in needing), None)

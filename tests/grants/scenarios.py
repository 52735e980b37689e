"""What people and the cloud itself do, as scenarios that together use the grants of every role."""

import base64
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil

from client.cloud import GenerateOnCloud
from inference_container.contract.api import ChangeAsset
from inference_container.contract.jobs import Task
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.test_whole_system import container_of, endless, img2img, picture, txt2img, until, until_queued_or_ended
from tests.grants.deployed import client
from tests.tiny_checkpoint import write_tiny_checkpoint

LARGE = 129 * 1024**2
"""Inspected by the function, not by the API."""


class Visit:
    """What the scenarios do with one local cloud."""

    def __init__(self, cloud: LocalCloud, service: GenerateOnCloud, folder: Path) -> None:
        self.cloud = cloud
        self.service = service
        self.folder = folder

    def ask(self, method: str, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        headers = {"x-api-key": key or self.cloud.admin_key}
        return httpx.request(method, f"{self.cloud.api_url}/v1/{path}", json=body, headers=headers, timeout=60)

    def done(self) -> str:
        """A job that has succeeded; its id."""
        job = self.service.jobs.submit(Task.TXT2IMG, txt2img(), checkpoint=CHECKPOINT)
        return self.service.jobs.finish(job.job_id).job_id

    def sweep(self, job_id: str, **values: object) -> None:
        """Make an ended job look lost as `values` say (None removes), and have the sweeper look."""
        dynamodb = client(self.cloud, "dynamodb")
        table = next(name for name in dynamodb.list_tables()["TableNames"] if "JobsTable" in name)
        row = dynamodb.get_item(TableName=table, Key={"job_id": {"S": job_id}})["Item"]
        row["open"] = {"S": "1"}
        for name, value in values.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = {"N": str(value)} if isinstance(value, int) else {"S": str(value)}
        for name in ("finished_at", "error", "output_sent"):
            row.pop(name, None)
        dynamodb.put_item(TableName=table, Item=row)
        functions = client(self.cloud, "lambda")
        name = next(
            one["FunctionName"] for one in functions.list_functions()["Functions"] if "Sweeper" in one["FunctionName"]
        )
        answer = functions.invoke(FunctionName=name, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()


def function_named(cloud: LocalCloud, part: str) -> str:
    found = client(cloud, "lambda").list_functions()["Functions"]
    return next(str(one["FunctionName"]) for one in found if part in one["FunctionName"])


def ago(**parts: int) -> str:
    return (datetime.now(UTC) - timedelta(**parts)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def upload_a_checkpoint(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / "another.safetensors", seed=9)
    asset = visit.service.assets.upload(path, "checkpoint")
    visit.service.assets.change(asset.asset_id, ChangeAsset(name="renamed.safetensors"))
    visit.service.assets.page(asset_type="checkpoint")
    visit.service.assets.page()
    visit.service.assets.delete(asset.asset_id)


def upload_a_large_file(visit: Visit) -> None:
    path = visit.folder / "large.safetensors"
    path.write_bytes(b"\xff" * LARGE)
    asset = visit.ask("POST", "assets", {"type": "checkpoint", "name": path.name, "size": LARGE}).json()
    for part in asset["upload"]["parts"]:
        data = path.read_bytes()[part["offset"] : part["offset"] + part["size"]]
        httpx.put(part["url"], content=data, timeout=60).raise_for_status()
    visit.ask("POST", f"assets/{asset['asset_id']}/complete", {}).raise_for_status()
    until_status(visit, asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}")


def break_off_an_upload(visit: Visit) -> None:
    asset = visit.ask("POST", "assets", {"type": "vae", "name": "broken-off.safetensors", "size": 1000}).json()
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def import_from_a_forbidden_address(visit: Visit) -> None:
    body = {"type": "vae", "name": "imported.safetensors", "source_url": "https://127.0.0.1:9/x.safetensors"}
    asset = visit.ask("POST", "assets", body)
    if asset.status_code < 300:
        until_status(visit, asset.json()["asset_id"], "failed")


def until_status(visit: Visit, asset_id: str, status: str) -> None:
    deadline = time.monotonic() + 60
    while visit.ask("GET", f"assets/{asset_id}").json()["status"] != status:
        assert time.monotonic() < deadline, f"the asset never was {status}"
        time.sleep(0.3)


def run_a_job(visit: Visit) -> None:
    job = visit.service.jobs.submit(Task.IMG2IMG, img2img(), checkpoint=CHECKPOINT)
    done = visit.service.jobs.finish(job.job_id)
    visit.service.jobs.save(done, visit.folder)
    for query in ("", "?task=img2img", "?status=succeeded", "?owner=admin"):
        visit.ask("GET", f"jobs{query}").raise_for_status()


def draw_an_uploaded_picture(visit: Visit) -> None:
    buffer = io.BytesIO()
    picture().save(buffer, format="PNG")
    params = img2img(init_images=[visit.service.jobs.upload(buffer.getvalue())])
    visit.service.jobs.finish(visit.service.jobs.submit(Task.IMG2IMG, params, checkpoint=CHECKPOINT).job_id)


def send_params_by_storage(visit: Visit) -> None:
    params = img2img(init_images=[picture_text(1100)])
    visit.service.jobs.finish(visit.service.jobs.submit(Task.IMG2IMG, params, checkpoint=CHECKPOINT).job_id)


def picture_text(size: int) -> str:
    buffer = io.BytesIO()
    picture(size=size).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def fail_and_delete_a_job(visit: Visit) -> None:
    params = img2img(init_images=[picture_text(64)[:200]])
    job = visit.service.jobs.submit(Task.IMG2IMG, params, checkpoint=CHECKPOINT)
    for _ in visit.service.jobs.watch(job.job_id):
        pass
    visit.service.jobs.delete(job.job_id)


def retry_and_delete_a_job(visit: Visit) -> None:
    again = visit.service.jobs.retry(visit.done())
    visit.service.jobs.finish(again.job_id)
    visit.service.jobs.delete(again.job_id)


def cancel_jobs(visit: Visit) -> None:
    running, waiting = (visit.service.jobs.submit(Task.TXT2IMG, endless(), checkpoint=CHECKPOINT).job_id for _ in "ab")
    until(visit.service, running, sampling=True)
    visit.service.jobs.get(waiting)
    visit.service.jobs.cancel(waiting)
    visit.service.jobs.cancel(running)
    until(visit.service, running, sampling=False)


def lose_a_worker(visit: Visit) -> None:
    job_id = visit.service.jobs.submit(Task.TXT2IMG, endless(), checkpoint=CHECKPOINT).job_id
    until(visit.service, job_id, sampling=True)
    container: psutil.Process = container_of(visit.cloud)
    container.kill()
    container.wait(timeout=60)
    until_queued_or_ended(visit.service, job_id)
    visit.service.jobs.cancel(job_id)
    until(visit.service, job_id, sampling=False)


def tell_a_webhook(visit: Visit) -> None:
    visit.ask("POST", "users", {"name": "told", "role": "artist", "quotas": {"concurrent_jobs": 2}}).raise_for_status()
    key = visit.ask("POST", "keys", {"user": "told"}).raise_for_status().json()["key"]
    visit.ask("POST", "me/webhook-secret", {}, key=key).raise_for_status()
    wanted = {"task": "txt2img", "checkpoint": CHECKPOINT, "params": txt2img()}
    wanted["webhook"] = {"url": "https://127.0.0.1:8443/hook"}
    canceled = visit.ask("POST", "jobs", wanted, key=key).raise_for_status().json()["job_id"]
    visit.ask("POST", f"jobs/{canceled}/cancel", key=key)
    job_id = visit.ask("POST", "jobs", wanted, key=key).raise_for_status().json()["job_id"]
    visit.service.jobs.finish(job_id)
    deadline = time.monotonic() + 60
    while not visit.ask("GET", f"jobs/{job_id}/deliveries", key=key).json()["deliveries"]:
        assert time.monotonic() < deadline, "the webhook was never tried"
        time.sleep(0.3)
    visit.sweep(job_id, status="running", owner_state="told#open", heartbeat_at=int(time.time()) - 300)


def manage_people(visit: Visit) -> None:
    visit.ask("POST", "roles", {"name": "painter", "permissions": ["inference:create"]}).raise_for_status()
    visit.ask("POST", "users", {"name": "paula", "role": "painter"}).raise_for_status()
    key = visit.ask("POST", "keys", {"user": "paula"}).raise_for_status().json()
    for path in ("users", "roles", "keys", "usage", "users/paula", "roles/painter", "endpoints", "health"):
        visit.ask("GET", path).raise_for_status()
    visit.ask("DELETE", f"keys/{key['key_id']}")
    visit.ask("DELETE", "users/paula").raise_for_status()
    visit.ask("DELETE", "roles/painter").raise_for_status()


def make_and_remove_an_endpoint(visit: Visit) -> None:
    wanted = {"name": "granted", "instance_type": "ml.g5.xlarge", "max_instances": 2}
    visit.ask("POST", "endpoints", wanted).raise_for_status()
    until_endpoint(visit, "InService")
    alarms = client(visit.cloud, "cloudwatch")
    deadline = time.monotonic() + 90
    while len(alarms.describe_alarms(AlarmNamePrefix="goc-main-granted")["MetricAlarms"]) < 3:
        assert time.monotonic() < deadline, "the endpoint was never scaled"
        time.sleep(0.3)
    visit.ask("PATCH", "endpoints/granted", {"idle_minutes": 1}).raise_for_status()
    visit.ask("DELETE", "endpoints/granted").raise_for_status()
    until_endpoint(visit, None)


def until_endpoint(visit: Visit, status: str | None) -> None:
    """`status` None: it is gone."""
    deadline = time.monotonic() + 90
    while True:
        answer = visit.ask("GET", "endpoints/granted")
        if status is None and answer.status_code == httpx.codes.NOT_FOUND:
            return
        if answer.is_success and answer.json()["status"] == status:
            return
        assert time.monotonic() < deadline, f"the endpoint never was {status or 'gone'}"
        time.sleep(0.3)


def sweep_a_job_whose_message_was_lost(visit: Visit) -> None:
    visit.sweep(visit.done(), status="running", owner_state="admin#open", heartbeat_at=int(time.time()) - 300)


def sweep_a_job_whose_worker_died(visit: Visit) -> None:
    visit.sweep(
        visit.done(), status="running", owner_state="admin#open", heartbeat_at=int(time.time()) - 3600,
        output_key="endpoint-output/none.out", failure_key="endpoint-failure/none.out",
    )  # fmt: skip


def sweep_a_job_that_was_never_sent(visit: Visit) -> None:
    visit.sweep(
        visit.done(), status="queued", owner_state="admin#open", output_key=None, failure_key=None,
        queued_at=ago(minutes=5), worker_id=None, heartbeat_at=None, started_at=None,
    )  # fmt: skip


def look_after_assets(visit: Visit) -> None:
    name = function_named(visit.cloud, "AssetInspection")
    assert "FunctionError" not in client(visit.cloud, "lambda").invoke(FunctionName=name, Payload=b"{}")


SCENARIOS: tuple[Callable[[Visit], None], ...] = (
    upload_a_checkpoint,
    upload_a_large_file,
    break_off_an_upload,
    import_from_a_forbidden_address,
    run_a_job,
    draw_an_uploaded_picture,
    send_params_by_storage,
    fail_and_delete_a_job,
    retry_and_delete_a_job,
    cancel_jobs,
    lose_a_worker,
    tell_a_webhook,
    manage_people,
    make_and_remove_an_endpoint,
    sweep_a_job_whose_message_was_lost,
    sweep_a_job_whose_worker_died,
    sweep_a_job_that_was_never_sent,
    look_after_assets,
)

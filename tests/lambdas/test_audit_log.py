"""The audit log: which route writes which line, for each route that changes anything."""

import json
import logging
import re
from pathlib import Path

import pytest

from lambdas.api.table import ROUTES
from tests.lambdas.cloud import Cloud, txt2img

SAFE = "GET"
LINES = {
    "POST /v1/jobs": "job.created",
    "POST /v1/jobs/{job_id}/start": "job.started",
    "PATCH /v1/jobs/{job_id}": "job.changed",
    "POST /v1/jobs/{job_id}/cancel": "job.canceled",
    "POST /v1/jobs/{job_id}/skip": "job.skipped",
    "POST /v1/jobs/cancel": "job.canceled",
    "POST /v1/jobs/{job_id}/retry": "job.created",
    "DELETE /v1/jobs/{job_id}": "job.deleted",
    "POST /v1/jobs/delete": "job.deleted",
    "POST /v1/assets": "asset.created",
    "POST /v1/assets/{asset_id}/complete": "asset.completed",
    "POST /v1/assets/{asset_id}/pause": "asset.paused",
    "POST /v1/assets/{asset_id}/resume": "asset.resumed",
    "PATCH /v1/assets/{asset_id}": "asset.changed",
    "DELETE /v1/assets/{asset_id}": "asset.deleted",
    "POST /v1/assets/{asset_id}/restore": "asset.restored",
    "POST /v1/endpoints": "endpoint.created",
    "PATCH /v1/endpoints/{name}": "endpoint.changed",
    "DELETE /v1/endpoints/{name}": "endpoint.deleted",
    "POST /v1/endpoints/{name}/sleep": "endpoint.put_to_sleep",
    "POST /v1/users": "user.created",
    "PUT /v1/users/{name}": "user.changed",
    "PATCH /v1/users/{name}": "user.changed",
    "DELETE /v1/users/{name}": "user.deleted",
    "POST /v1/roles": "role.created",
    "PUT /v1/roles/{name}": "role.changed",
    "DELETE /v1/roles/{name}": "role.deleted",
    "POST /v1/keys": "key.created",
    "DELETE /v1/keys/{key_id}": "key.revoked",
    "POST /v1/sessions": "session.created",
    "POST /v1/sessions/codes": "session.code_created",
    "DELETE /v1/sessions/current": "session.ended",
    "PATCH /v1/me": "user.changed",
    "PUT /v1/me/preferences": "preferences.changed",
    "POST /v1/me/webhook-secret": "webhook_secret.rotated",
    "POST /v1/jobs/{job_id}/deliveries": "webhook.redelivered",
}
UNLOGGED = {
    "POST /v1/assets/{asset_id}/parts": "gives addresses to upload to; the asset's own lines tell the rest",
    "POST /v1/inputs": "gives an address to upload to; nothing is there yet",
}


def test_every_route_that_changes_something_has_its_line() -> None:
    changing = {f"{route.method} {route.path}" for route in ROUTES if route.method != SAFE}

    assert changing == LINES.keys() | UNLOGGED.keys()


def test_the_page_lists_every_event() -> None:
    page = Path(__file__).parents[2].joinpath("docs/access.md").read_text(encoding="utf-8")
    section = page.partition("## Audit log")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", section)) == set(LINES.values())


def test_every_change_of_a_job_is_one_line(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.checkpoint()
    with caplog.at_level(logging.INFO, logger="audit"):
        made = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)["job_id"]
        cloud.ask("POST", f"/v1/jobs/{made}/cancel").ok()
        cloud.ask("POST", f"/v1/jobs/{made}/cancel").ok()
        again = cloud.ask("POST", f"/v1/jobs/{made}/retry").ok(201)["job_id"]
        cloud.ask("POST", f"/v1/jobs/{again}/cancel", user="root").ok()
        assert cloud.ask("DELETE", f"/v1/jobs/{made}").status == 204
        cloud.ask("POST", "/v1/jobs/delete", {"job_ids": [again, "nothing"]}).ok()
        cloud.ask("POST", "/v1/jobs", txt2img() | {"dry_run": True}).ok(200)
        cloud.ask("POST", "/v1/jobs", txt2img() | {"checkpoint": "none"}).problem(404, "asset_not_found")

    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "audit"]
    assert [(line["audit"], line["target"], line["by"]) for line in lines] == [
        ("job.created", made, "alice"),
        ("job.canceled", made, "alice"),
        ("job.created", again, "alice"),
        ("job.canceled", again, "root"),
        ("job.deleted", made, "alice"),
        ("job.deleted", again, "alice"),
    ]
    assert lines[2]["retry_of"] == made


def test_a_replayed_request_writes_no_second_line(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.checkpoint()

    with caplog.at_level(logging.INFO, logger="audit"):
        for _ in range(2):
            cloud.ask("POST", "/v1/jobs", txt2img(), headers={"Idempotency-Key": "one"}).ok(201)

    assert len([record for record in caplog.records if record.name == "audit"]) == 1

"""Scenarios of users, roles, keys and their webhooks."""

import time

from checks.grants.scenarios.visit import Visit
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import txt2img


def manage_people(visit: Visit) -> None:
    # Capital letters: a name is compared with those in other letter case.
    visit.ask(
        "POST", "roles", {"name": f"Painter-{visit.mark}", "permissions": ["inference:create"]}
    ).raise_for_status()
    visit.ask("POST", "users", {"name": f"Paula-{visit.mark}", "role": f"Painter-{visit.mark}"}).raise_for_status()
    key = visit.ask("POST", "keys", {"user": f"Paula-{visit.mark}"}).raise_for_status().json()
    for path in (
        "users",
        "roles",
        "keys",
        "usage",
        f"users/Paula-{visit.mark}",
        f"roles/Painter-{visit.mark}",
        "endpoints",
        "health",
    ):
        visit.ask("GET", path).raise_for_status()
    visit.ask("DELETE", f"keys/{key['key_id']}").raise_for_status()
    visit.ask("DELETE", f"users/Paula-{visit.mark}").raise_for_status()
    visit.ask("DELETE", f"roles/Painter-{visit.mark}").raise_for_status()


def tell_a_webhook(visit: Visit) -> None:
    name = f"told-{visit.mark}"
    visit.ask("POST", "users", {"name": name, "role": "artist", "quotas": {"concurrent_jobs": 2}}).raise_for_status()
    key = visit.ask("POST", "keys", {"user": name}).raise_for_status().json()["key"]
    visit.ask("POST", "me/webhook-secret", {}, key=key).raise_for_status()
    wanted = {"task": "txt2img", "checkpoint": CHECKPOINT, "params": txt2img()}
    wanted["webhook"] = {"url": "https://localhost:8443/hook"}
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

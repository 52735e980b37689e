"""Scenarios of endpoints made through the API."""

import time

import httpx

from checks.grants.deployed import client
from checks.grants.scenarios.visit import Visit
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import txt2img


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

"""docs/grants.md says of every deployed grant who needs it, and taking one away stops exactly that."""

import json
from pathlib import Path

import httpx
import pytest

from client.cloud import GenerateOnCloud
from client.errors import CloudError
from local_cloud.cloud import LocalCloud
from tests.grants.deployed import Deployed, read_deployed, removed
from tests.grants.page import DEPLOYMENT, read
from tests.grants.scenarios import SCENARIOS, Visit

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("local-cloud")]


@pytest.fixture(scope="module")
def deployed(local_cloud: LocalCloud) -> Deployed:
    return read_deployed(local_cloud)


@pytest.fixture
def visit(local_cloud: LocalCloud, service: GenerateOnCloud, tmp_path: Path) -> Visit:
    return Visit(local_cloud, service, tmp_path)


def denied(cloud: LocalCloud, *, since: int) -> set[tuple[str, str]]:
    """Role names and actions that were refused after the byte `since` of the record."""
    with cloud.settings.requests_file.open("rb") as file:
        file.seek(since)
        lines = [json.loads(line) for line in file.read().splitlines()]
    return {(line["role"], line["action"]) for line in lines if not line["allowed"]}


def test_the_page_has_every_deployed_grant_and_no_other(deployed: Deployed) -> None:
    there = {(grant.role, grant.action, deployed.label(grant.resource)) for grant in deployed.grants()}

    assert {(row.role, row.action, row.resource) for row in read()} == there


def test_every_scenario_the_page_names_is_one(deployed: Deployed) -> None:
    names = {scenario.__name__ for scenario in SCENARIOS} | {DEPLOYMENT}

    named = {row.why.strip("`") for row in read() if row.why.startswith("`")}

    assert named <= names


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("Api", "dynamodb:Query", "table/StorageJobsTable/index/owner-created_at"),
        ("Api", "sagemaker:InvokeEndpointAsync", "endpoint/goc-main-*"),
        ("Api", "s3:PutObject", "StorageJobsBucket/inputs/*"),
        ("Container", "s3:PutObject", "StorageJobsBucket/jobs/*"),
    ],
)
def test_the_scenario_the_page_names_fails_without_the_grant(
    visit: Visit, deployed: Deployed, role: str, action: str, resource: str
) -> None:
    grant = next(
        one
        for one in deployed.grants()
        if (one.role, one.action, deployed.label(one.resource)) == (role, action, resource)
    )
    name = next(
        row.why.strip("`") for row in read() if (row.role, row.action, row.resource) == (role, action, resource)
    )
    scenario = next(one for one in SCENARIOS if one.__name__ == name)
    since = visit.cloud.settings.requests_file.stat().st_size

    with removed(visit.cloud, deployed, grant), pytest.raises((CloudError, httpx.HTTPStatusError)):
        scenario(visit)

    assert (deployed.role_names[role], action) in denied(visit.cloud, since=since)

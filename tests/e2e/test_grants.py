"""docs/grants.md says of every deployed grant what came of taking it away, and taking one away stops exactly that."""

from pathlib import Path

import pytest

from local_cloud.cloud import LocalCloud
from tests.grants.deployed import Deployed, read_deployed
from tests.grants.page import read
from tests.grants.removal import Run, Verdict, try_without
from tests.grants.scenarios import SCENARIOS, Scenario

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("local-cloud")]

NAMED: dict[str, Scenario] = {scenario.__name__: scenario for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def deployed(local_cloud: LocalCloud) -> Deployed:
    return read_deployed(local_cloud)


def test_the_page_has_every_deployed_grant_and_no_other(deployed: Deployed) -> None:
    there = {(grant.role, grant.action, deployed.label(grant.resource)) for grant in deployed.grants()}

    assert {(row.role, row.action, row.resource) for row in read()} == there


def test_every_scenario_the_page_names_is_one() -> None:
    named = {row.scenario for row in read() if row.scenario is not None}

    assert named <= set(NAMED)


@pytest.mark.parametrize(
    ("named", "scenario"),
    [
        ("Api dynamodb:Query table/StorageJobsTable/index/owner-created_at", "run_a_job"),
        ("Api sagemaker:InvokeEndpointAsync endpoint/goc-main-*", "run_a_job"),
        ("Api s3:PutObject StorageJobsBucket/inputs/*", "draw_an_uploaded_picture"),
        ("Api sagemaker:AddTags model/goc-main-*", "make_and_remove_an_endpoint"),
        ("Container s3:PutObject StorageJobsBucket/jobs/*", "run_a_job"),
        ("AssetInspection s3:AbortMultipartUpload StorageAssetsBucket/assets/*", "give_up_an_old_upload"),
        ("AssetImport logs:PutLogEvents log-group:FunctionsAssetImportLog:*", "write_the_log_of_AssetImport"),
        ("FirstKey secretsmanager:PutSecretValue secret:FunctionsAdminKey", "make_the_first_key"),
        ("JobEvents logs:PutLogEvents log-group:FunctionsJobEventsLog:*", "write_the_log_of_JobEvents"),
        ("Sweeper dynamodb:BatchGetItem table/StorageJobsTable", "sweep_a_job_whose_message_was_lost"),
    ],
)
def test_a_scenario_is_refused_and_fails_without_the_grant(
    local_cloud: LocalCloud, deployed: Deployed, tmp_path: Path, named: str, scenario: str
) -> None:
    (grant,) = [one for one in deployed.grants() if f"{one.role} {one.action} {deployed.label(one.resource)}" == named]

    # A machine may be slow: the scenario has two minutes after its refusal to come to its own end.
    trial = try_without(local_cloud, deployed, grant, NAMED[scenario], folder=tmp_path, usual_seconds=120)

    assert trial.verdict is Verdict.FAILED, trial


@pytest.mark.parametrize("scenario", ["run_a_job", "give_up_an_old_upload"])
def test_a_scenario_passes_with_all_grants(local_cloud: LocalCloud, tmp_path: Path, scenario: str) -> None:
    run = Run(local_cloud, NAMED[scenario], tmp_path)

    run.wait()

    assert run.said() == ""

"""docs/grants.md says of every deployed grant what came of taking it away, and taking one away stops exactly that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.grants.deployed import Deployed, client, read_deployed
from checks.grants.import_handler import importing_from_here
from checks.grants.page import read
from checks.grants.removal import Run, Verdict, try_without
from checks.grants.scenarios.table import SCENARIOS
from checks.grants.scenarios.visit import Scenario
from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

UNSHOWN = [
    "Container cloudwatch:PutMetricData",
    "Container ecr:BatchCheckLayerAvailability",
    "Container ecr:BatchGetImage",
    "Container ecr:GetAuthorizationToken",
    "Container ecr:GetDownloadUrlForLayer",
    "Container logs:CreateLogGroup",
    "Container logs:CreateLogStream",
    "Container logs:DescribeLogStreams",
    "Container logs:PutLogEvents",
    "Container s3:ListBucket",
    "EndpointKeeper dynamodb:BatchGetItem",
    "JobEvents sqs:SendMessage",
    "Webhooks sqs:ChangeMessageVisibility",
    "Webhooks sqs:GetQueueUrl",
]
"""Grants without a scenario that fails; the page has the reasons."""

NAMED: dict[str, Scenario] = {scenario.__name__: scenario for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def deployed(local_cloud: LocalCloud) -> Deployed:
    return read_deployed(local_cloud)


@pytest.fixture(scope="module", autouse=True)
def _imports_from_here(local_cloud: LocalCloud) -> Iterator[None]:
    with importing_from_here(local_cloud):
        yield


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
        ("Api lambda:InvokeFunction function:FunctionsAssetImportFunction", "import_a_checkpoint"),
        ("Api s3:AbortMultipartUpload StorageAssetsBucket/assets/*", "break_off_an_upload"),
        ("Container s3:GetObject StorageAssetsBucket/assets/*", "draw_with_a_checkpoint_nobody_had"),
        ("Container s3:PutObject StorageJobsBucket/endpoint-failure/*", "fail_and_delete_a_job"),
        ("FirstKey ssm:PutParameter parameter/GenerateOnCloud/admin-key", "make_the_first_key"),
        ("Sweeper sagemaker:DescribeEndpoint endpoint/goc-main-*", "sweep_a_job_whose_endpoint_was_replaced"),
        ("Sweeper sqs:GetQueueAttributes FunctionsWebhookQueuesDeadLetters", "count_dead_letters"),
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


@pytest.mark.parametrize(
    "scenario", ["run_a_job", "import_a_checkpoint", "write_the_log_of_FirstKey", "write_the_log_of_Webhooks"]
)
def test_a_scenario_passes_with_all_grants(local_cloud: LocalCloud, tmp_path: Path, scenario: str) -> None:
    run = Run(local_cloud, NAMED[scenario], tmp_path)

    run.wait(240)

    assert run.said() == ""
    parameter = client(local_cloud, "ssm").get_parameter(
        Name=local_cloud.outputs["AdminKeyParameter"], WithDecryption=True
    )
    assert parameter["Parameter"]["Value"] == local_cloud.admin_key


def test_every_grant_fails_a_scenario_or_is_one_the_local_cloud_cannot_ask_for() -> None:
    unshown = [f"{row.role} {row.action}" for row in read() if not (row.scenario and " fails" in row.why)]

    assert sorted(unshown) == UNSHOWN

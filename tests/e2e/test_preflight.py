"""`make preflight` against the local cloud: each mistake of a deployer is one line with the command that mends it."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from infrastructure.kept_options import options_parameter
from infrastructure.preflight.__main__ import CHECKS, Asked, main, preflight
from infrastructure.preflight.account import BOOTSTRAP_PARAMETER, BOOTSTRAP_VERSION
from infrastructure.preflight.image import TAKEN
from infrastructure.preflight.rows import Machine, Row
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

TINY = (sys.executable, str(Path(__file__).parents[1] / "local_cloud" / "tiny_container.py"))
REPOSITORY = "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/goc"
OCI = "application/vnd.oci.image.manifest.v1+json"
PUSHED = "cdk-hnb659fds-container-assets-000000000000-us-east-1"


@dataclass(frozen=True)
class Laptop(Machine):
    """A machine with Docker and room."""

    version: str | None = "29.1.0"
    free: float = 100.0

    def docker_version(self) -> str | None:
        return self.version

    def free_gigabytes(self) -> float:
        return self.free


class Session:
    """Of the local cloud, where some calls are answered otherwise."""

    def __init__(
        self,
        cloud: LocalCloud,
        planted: Mapping[str, Callable[..., Any]] | None = None,
        *,
        region: str | None = "us-east-1",
    ) -> None:
        self._clients = LocalClients(cloud.endpoint_url, cloud.root)
        self._planted = planted or {}
        self.region_name = region

    def client(self, service: str, **_: object) -> Any:
        client: Any = self._clients.client(service)  # type: ignore[call-overload]
        for name, answer in self._planted.items():
            owner, _dot, method = name.partition(".")
            if owner == service:
                setattr(client, method, answer)
        return client


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("preflight"), container_command=TINY) as cloud:
        clients = LocalClients(cloud.endpoint_url, cloud.root)
        ecr: Any = clients.client("ecr")  # type: ignore[call-overload]
        ecr.create_repository(repositoryName="team/goc")
        for tag, kind in (("docker", TAKEN), ("oci", OCI)):
            manifest = json.dumps({"schemaVersion": 2, "mediaType": kind})
            ecr.put_image(repositoryName="team/goc", imageManifest=manifest, imageManifestMediaType=kind, imageTag=tag)
        yield cloud


def rows(
    session: Any, options: Mapping[str, str] | None = None, *, stage: str = "", machine: Machine | None = None
) -> dict[str, Row]:
    found = preflight(Asked(stage, options or {}), session, machine or Laptop())
    return {row.name: row for row in found}


def raising(error: Exception) -> Callable[..., Any]:
    def fail(**_: Any) -> Any:
        raise error

    return fail


def refused(code: str, message: str = "said AWS") -> Callable[..., Any]:
    return raising(ClientError({"Error": {"Code": code, "Message": message}}, "Call"))


def parameter_of_an_old_bootstrap(**asked: str) -> Any:
    return {"Parameter": {"Value": "3" if asked["Name"] == BOOTSTRAP_PARAMETER else "{}"}}


def endpoint_that_is(status: str, *, instances: int = 0, **more: str) -> Mapping[str, Callable[..., Any]]:
    def describe(**_: Any) -> Any:
        variants = [{"VariantName": "v", "CurrentInstanceCount": instances}]
        found: dict[str, Any] = {"EndpointStatus": status, "EndpointConfigName": "c", "ProductionVariants": variants}
        return {**found, **more}

    def describe_config(**_: Any) -> Any:
        return {"ProductionVariants": [{"VariantName": "v", "InstanceType": "ml.g5.xlarge"}]}

    return {"sagemaker.describe_endpoint": describe, "sagemaker.describe_endpoint_config": describe_config}


def test_a_stage_that_is_fine_has_all_rows_in_seconds(cloud: LocalCloud) -> None:
    began = time.monotonic()
    found = rows(Session(cloud), {"alarm_email": "me@example.com", "monthly_budget_usd": "none"})
    seconds = time.monotonic() - began

    assert list(found) == ["account", *CHECKS]
    assert {name: row.text for name, row in found.items() if row.verdict != "ok"} == {}
    assert "000000000000 in us-east-1" in found["account"].text
    assert found["options"].text.startswith("kept: all at their defaults; alarm_email: default -> me@example.com")
    assert found["alarms"].text == "alarms to me@example.com, budget none, as asked"
    assert "USD a month plus storage; awake 1.41 an hour for each ml.g5.xlarge, 0 to 1" in found["cost"].text
    assert seconds < 10


OPTION_FAULTS: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    "a public image": (
        {"image_uri": "docker.io/team/goc:1"}, "image", "stop", "a private ECR repository", "image_uri="
    ),
    "no such image": ({"image_uri": f"{REPOSITORY}:none"}, "image", "stop", "does not exist", "docker push"),
    "no such repository": (
        {"image_uri": f"{REPOSITORY}2:1"}, "image", "stop", "does not exist", "docker push"
    ),
    "an image of another region": (
        {"image_uri": REPOSITORY.replace("us-east-1", "eu-west-1") + ":docker"}, "image", "stop", "in eu-west-1", "push"
    ),
    "an OCI image": (
        {"image_uri": f"{REPOSITORY}:oci"}, "image", "stop", "SageMaker only accepts", "oci-mediatypes=false"
    ),
    "a Docker image": ({"image_uri": f"{REPOSITORY}:docker"}, "image", "ok", "Docker manifest", ""),
    "more instances than granted": (
        {"max_instances": "9"}, "gpu quota", "stop",
        "8 ml.g5.xlarge for endpoint usage; 9 may run, 10 while", "--desired-value 10"
    ),
    "as many as granted": ({"max_instances": "8"}, "gpu quota", "look", "8 may run, 9 while", "--desired-value 9"),
    "a type without a quota": (
        {"instance_type": "ml.g99.xlarge", "gpus": "1"}, "gpu quota", "stop", "no quota called", "instance_type="
    ),
    "a type that is not there": (
        {"instance_type": "ml.g99.xlarge", "gpus": "1"}, "offered", "stop",
        "g99.xlarge does not exist", "another region"
    ),
    "one that never sleeps": ({"min_instances": "1"}, "cost", "look", "never sleeps, 1,028 a month", "min_instances=0"),
    "no one told": ({}, "alarms", "look", "no one learns", "-c alarm_email=you@example.com -c monthly_budget_usd=50"),
    "no budget": ({"alarm_email": "a@b.c"}, "alarms", "look", "half", "-c monthly_budget_usd=50"),
}  # fmt: skip


@pytest.mark.parametrize("fault", OPTION_FAULTS)
def test_options_that_will_not_do_are_named(cloud: LocalCloud, fault: str) -> None:
    options, name, verdict, text, mend = OPTION_FAULTS[fault]

    row = rows(Session(cloud), options)[name]

    assert (row.verdict, text in row.text, mend in row.mend) == (verdict, True, True), row


ACCOUNT_FAULTS: dict[str, tuple[Mapping[str, Callable[..., Any]], str, str, str, str]] = {
    "no bootstrap": (
        {"ssm.get_parameter": refused("ParameterNotFound")}, "bootstrap", "stop", "missing in us-east-1",
        "make bootstrap",
    ),
    "an old bootstrap": (
        {"ssm.get_parameter": parameter_of_an_old_bootstrap},
        "bootstrap", "stop", f"version 3; needed: {BOOTSTRAP_VERSION}", "make bootstrap",
    ),
    "a new account's concurrency": (
        {"lambda.get_account_settings": lambda: {"AccountLimit": {"ConcurrentExecutions": 10}}},
        "concurrency", "look", "10 Lambda executions", "--quota-code L-B99A9384 --desired-value 1000",
    ),
    "a failed endpoint": (
        endpoint_that_is("Failed", FailureReason="ResourceLimitExceeded"),
        "endpoint", "look", "ResourceLimitExceeded): `make deploy` deletes GenerateOnCloud-Inference", "fix the reason",
    ),
    "an endpoint that is out of service": (
        endpoint_that_is("OutOfService"), "endpoint", "look", "`make deploy` deletes", "fix the reason",
    ),
    "an endpoint whose rollback failed": (
        endpoint_that_is("UpdateRollbackFailed"), "endpoint", "look", "a mix of old and new", "deploy again",
    ),
    "an endpoint that scales": (endpoint_that_is("Updating"), "endpoint", "look", "`make deploy` waits", ""),
    "an endpoint that goes": (endpoint_that_is("Deleting"), "endpoint", "stop", "being deleted", "endpoint-deleted"),
    "an update that failed": (
        endpoint_that_is("InService", FailureReason="no capacity"), "endpoint", "look", "no capacity", "deploy again",
    ),
    "an awake endpoint and no room for its update": (
        endpoint_that_is("InService", instances=5), "gpu quota", "stop", "5 run now", "--desired-value",
    ),
    "a rollback that failed": (
        {"cloudformation.describe_stacks": lambda **_: {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_FAILED"}]}},
        "stacks", "stop", "GenerateOnCloud is UPDATE_ROLLBACK_FAILED", "continue-update-rollback",
    ),
    "an update that is under way": (
        {"cloudformation.describe_stacks": lambda **_: {"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]}},
        "stacks", "stop", "UPDATE_IN_PROGRESS", "wait stack-update-complete",
    ),
    "a deployment that is rolling back": (
        {"cloudformation.describe_stacks": lambda **_: {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}]}},
        "stacks", "stop", "UPDATE_ROLLBACK_IN_PROGRESS", "wait stack-rollback-complete",
    ),
    "a deletion that failed": (
        {"cloudformation.describe_stacks": lambda **_: {"Stacks": [{"StackStatus": "DELETE_FAILED"}]}},
        "stacks", "stop", "DELETE_FAILED", "delete-stack",
    ),
    "no right to see quotas": (
        {"service-quotas.list_service_quotas": refused("AccessDeniedException")},
        "gpu quota", "look", "could not be checked (AccessDeniedException)", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", ACCOUNT_FAULTS)
def test_an_account_that_is_not_ready_is_told_what_to_do(cloud: LocalCloud, fault: str) -> None:
    planted, name, verdict, text, mend = ACCOUNT_FAULTS[fault]

    row = rows(Session(cloud, planted))[name]

    assert (row.verdict, text in row.text, mend in row.mend) == (verdict, True, True), row


@pytest.mark.parametrize(
    ("zones", "verdict", "said"),
    [
        ("abc", "ok", "g5.xlarge exists in us-east-1"),
        ("bc", "ok", "g5.xlarge exists in us-east-1"),
        ("c", "stop", "exists in us-east-1c, but vpc=new has subnets in us-east-1a and us-east-1b: CONTEXT="),
    ],
)
def test_a_new_network_needs_the_type_in_its_zones(cloud: LocalCloud, zones: str, verdict: str, said: str) -> None:
    def offerings(*, LocationType: str, **_: Any) -> Any:  # noqa: N803
        places = ["us-east-1"] if LocationType == "region" else [f"us-east-1{zone}" for zone in zones]
        return {"InstanceTypeOfferings": [{"InstanceType": "g5.xlarge", "Location": place} for place in places]}

    planted = {} if zones == "abc" else {"ec2.describe_instance_type_offerings": offerings}

    row = rows(Session(cloud, planted), {"vpc": "new"})["offered"]

    assert (row.verdict, said in str(row)) == (verdict, True), row


def test_every_row_has_a_fault_that_is_planted() -> None:
    told = {fault[1] for table in (OPTION_FAULTS, ACCOUNT_FAULTS) for fault in table.values() if fault[2] != "ok"}

    # Options that contradict each other, and the machine's Docker and disk, have tests of their own below.
    assert told | {"options", "docker"} == set(CHECKS)


@pytest.mark.parametrize(
    ("planted", "region", "text", "mend"),
    [
        ({}, None, "no region is set", "export AWS_REGION="),
        ({"sts.get_caller_identity": raising(NoCredentialsError())}, "us-east-1", "no credentials", "aws configure"),
        ({"sts.get_caller_identity": refused("ExpiredToken")}, "us-east-1", "AWS refuses", "aws sso login"),
        ({"sts.get_caller_identity": refused("InvalidClientTokenId")}, "us-east-1", "AWS refuses", "aws sts"),
    ],
)
def test_without_an_account_only_that_is_said(
    cloud: LocalCloud, planted: Mapping[str, Callable[..., Any]], region: str | None, text: str, mend: str
) -> None:
    found = rows(Session(cloud, planted, region=region))

    assert list(found) == ["account"]
    assert found["account"].verdict == "stop"
    assert text in found["account"].text
    assert mend in found["account"].mend


@pytest.mark.parametrize(
    ("machine", "stage", "verdict", "said"),
    [
        (Laptop(version=None), "new", "stop", 'start Docker, or give an image with CONTEXT="-c image_uri=…"'),
        (Laptop(version=None), "", "look", "if the container has not changed"),
        (Laptop(free=12.0), "new", "stop", "needs 30 GB to build; only 12 GB are free: docker system prune"),
        (Laptop(), "new", "ok", "version 29.1.0, 100 GB free"),
    ],
)
def test_the_machine_must_be_able_to_build_the_image(
    cloud: LocalCloud, machine: Machine, stage: str, verdict: str, said: str
) -> None:
    row = rows(Session(cloud), stage=stage, machine=machine)["docker"]

    assert row.verdict == verdict
    assert said in str(row)


def test_quotas_and_types_of_the_local_account_can_be_changed(cloud: LocalCloud) -> None:
    cloud.settings.account_file.write_text(
        json.dumps({"quotas": {"ml.g5.xlarge for endpoint usage": 0}, "instance_types": ["g4dn.xlarge"]})
    )
    try:
        found = rows(Session(cloud))
    finally:
        cloud.settings.account_file.unlink()

    assert (found["gpu quota"].verdict, found["offered"].verdict) == ("stop", "stop")
    assert found["gpu quota"].text.startswith("0 ml.g5.xlarge for endpoint usage; 1 may run, 2 while")


def test_sagemaker_refuses_what_the_preflight_says_the_quota_does_not_allow(cloud: LocalCloud) -> None:
    sagemaker: Any = Session(cloud).client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=cloud.endpoint_name)["EndpointConfigName"]
    cloud.settings.account_file.write_text(json.dumps({"quotas": {"ml.g5.xlarge for endpoint usage": 1}}))
    try:
        row = rows(Session(cloud), {"max_instances": "2"})["gpu quota"]
        with pytest.raises(
            sagemaker.exceptions.ResourceLimitExceeded, match="is 1 Instances, with current utilization of 1"
        ):
            sagemaker.create_endpoint(EndpointName="second", EndpointConfigName=config)
    finally:
        cloud.settings.account_file.unlink()

    assert row.verdict == "stop"


def test_the_newest_image_the_cdk_pushed_is_looked_at(cloud: LocalCloud) -> None:
    ecr = Session(cloud).client("ecr")
    deployed = rows(Session(cloud))["image"]
    ecr.put_image(
        repositoryName=PUSHED, imageManifest=json.dumps({"mediaType": OCI}), imageManifestMediaType=OCI, imageTag="a"
    )
    try:
        row = rows(Session(cloud))["image"]
    finally:
        ecr.batch_delete_image(repositoryName=PUSHED, imageIds=[{"imageTag": "a"}])

    assert (deployed.verdict, deployed.text.partition(",")[0]) == ("ok", "1 pushed")
    assert row.verdict == "look"
    assert f"aws ecr batch-delete-image --repository-name {PUSHED} --image-ids imageDigest=sha256:" in row.mend


def test_stacks_that_import_from_the_core_must_go_first(cloud: LocalCloud) -> None:
    cloudformation = Session(cloud).client("cloudformation")
    topic = {"T": {"Type": "AWS::SNS::Topic", "Properties": {}}}
    exporting = {
        "Resources": topic,
        "Outputs": {"O": {"Value": {"Fn::GetAtt": ["T", "TopicName"]}, "Export": {"Name": "GenerateOnCloud-old:T"}}},
    }
    importing = {
        "Resources": {
            "P": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "GenerateOnCloud-old:T"}},
            }
        }
    }
    made = {"GenerateOnCloud-old": exporting, "GenerateOnCloud-old-Ops": importing}
    for name, template in made.items():
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    row = rows(Session(cloud), stage="old")["stacks"]
    for name in reversed(made):
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    assert row.verdict == "stop"
    assert row.mend == "aws cloudformation delete-stack --stack-name GenerateOnCloud-old-Ops"


def test_kept_options_count_and_a_wrong_one_is_refused(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    ssm = Session(cloud).client("ssm")
    name = options_parameter("GenerateOnCloud-kept")
    ssm.put_parameter(Name=name, Type="String", Value=json.dumps({"max_instances": "9", "alarm_email": "a@b.c"}))

    found = rows(Session(cloud), {"alarm_email": "default"}, stage="kept")
    code = main(["--stage", "kept", "-c", "colour=red"], session=lambda: Session(cloud))  # type: ignore[arg-type,return-value]

    assert "9 may run" in found["gpu quota"].text
    assert found["options"].text == "kept: max_instances=9, alarm_email=a@b.c; alarm_email: a@b.c -> default"
    assert code == 2
    assert "unknown context colour" in capsys.readouterr().err


def test_the_command_ends_with_1_when_something_stops_and_0_otherwise(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    def session() -> Any:
        return Session(cloud)

    codes = [main(arguments, session=session, machine=Laptop()) for arguments in ([], ["-c", "max_instances=9"])]

    lines = capsys.readouterr().out.splitlines()
    assert codes == [0, 1]
    assert [line for line in lines if line.startswith("ready to deploy")]
    assert [line for line in lines if line.startswith("1 to fix before deploying")]


def test_it_asks_for_the_bootstrap_our_assembly_needs(cloud: LocalCloud) -> None:
    manifest = json.loads((cloud.settings.state_dir / "assembly" / "manifest.json").read_text())
    stacks = [each for each in manifest["artifacts"].values() if each["type"] == "aws:cloudformation:stack"]

    assert {each["properties"]["requiresBootstrapStackVersion"] for each in stacks} == {BOOTSTRAP_VERSION}


def test_it_changes_nothing(cloud: LocalCloud) -> None:
    """Every operation that any check calls only reads."""
    called: list[str] = []

    class Listening(Session):
        def client(self, service: str, **more: object) -> Any:
            client = super().client(service, **more)
            client.meta.events.register("before-call", lambda model, **_: called.append(model.name))
            return client

    rows(Listening(cloud), {"image_uri": f"{REPOSITORY}:docker"})
    rows(Listening(cloud))

    assert len(set(called)) >= 10
    assert not [name for name in called if not name.startswith(("Describe", "Get", "List", "BatchGet"))]


def test_boto3_sessions_know_the_region_the_cli_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    from infrastructure.deployed import session_here

    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    before = session_here().region_name
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    assert (before or "", session_here().region_name) == ("", "eu-central-1")

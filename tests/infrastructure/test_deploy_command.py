"""`make deploy`, `make diff`, `make synth`: what the CDK's CLI is given, and in which environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from packaging.utils import canonicalize_name

from infrastructure.bundling import read_requirements, walk_closure
from infrastructure.config import StageConfig
from infrastructure.deploy import CDK, main
from infrastructure.kept_options import written
from infrastructure.preflight.__main__ import Asked

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly

ROOT = Path(__file__).resolve().parents[2]

IMPORT_ALL = """
import json, pkgutil, sys
hidden = set(json.load(sys.stdin))
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
from infrastructure.node import choose_node
choose_node()
import infrastructure
for module in pkgutil.iter_modules(infrastructure.__path__):
    __import__(f"infrastructure.{module.name}")
import app
"""


REFUSED = 'Resource handler returned message: "Cannot update in-progress endpoint \\"arn:aws:sagemaker:…\\"."'


def session(kept: dict[str, dict[str, str]], **services: Callable[[], Any]) -> Any:
    """A session of an account with these options in it, by the parameter's name, and with more `services`."""

    class Ssm:
        def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
            if Name not in kept:
                raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
            return {"Parameter": {"Value": written(kept[Name])}}

    class SageMaker:
        def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
            message = f'Could not find endpoint "{EndpointName}".'
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "DescribeEndpoint")

    class Session:
        region_name = None

        def client(self, service: str) -> Any:
            return {"ssm": Ssm, "sagemaker": SageMaker, **services}[service]()

    return Session


class Cli:
    """Stands in for the CDK's CLI and keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, arguments: Sequence[str]) -> int:
        self.calls.append(list(arguments))
        return 0


@pytest.fixture
def cli() -> Cli:
    return Cli()


def test_the_command_line_is_complete(cli: Cli) -> None:
    code = main(
        ["deploy", "--stage", "dev", "-c", "max_instances=2", "--profile", "me"],
        cdk=cli,
        session=session({}),
        look=fine,
    )

    (call,) = cli.calls
    assert code == 0
    assert call[:4] == ["deploy", "--all", "--require-approval", "never"]
    assert call[call.index("--app") + 1] == f'"{sys.executable}" app.py'
    assert call[-6:] == ["-c", "stage=dev", "-c", "max_instances=2", "--profile", "me"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-c", "max_instances"], "-c: received max_instances; allowed: NAME=VALUE"),
        (["-c", "colour=red"], "unknown context colour"),
        (["--stage", "Prod!"], "-c stage"),
    ],
)
def test_options_that_cannot_be_are_refused_before_the_cli_starts(
    given: list[str], said: str, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["deploy", *given], cdk=cli)

    assert (code, cli.calls) == (2, [])
    assert said in capsys.readouterr().err


def fine(asked: Asked, session: object) -> int:
    """A preflight that finds nothing."""
    return 0


@pytest.mark.parametrize(
    ("arguments", "code", "calls"),
    [(["deploy"], 1, 0), (["deploy", "--without-preflight"], 0, 1), (["diff"], 0, 1)],
)
def test_nothing_is_deployed_that_the_preflight_stops(arguments: list[str], code: int, calls: int, cli: Cli) -> None:
    seen: list[Asked] = []

    def stop(asked: Asked, session: object) -> int:
        seen.append(asked)
        return 1

    assert main([*arguments, "--stage", "dev", "-c", "waf=true"], cdk=cli, session=session({}), look=stop) == code
    assert len(cli.calls) == calls
    assert seen == ([Asked("dev", {"waf": "true"})] if calls == 0 else [])


@pytest.mark.parametrize(
    ("kept", "given", "asked", "settled"),
    [
        (
            {},
            [],
            ["alarm_email", "monthly_budget_usd"],
            {"alarm_email": "me@example.com", "monthly_budget_usd": "none"},
        ),
        (
            {},
            ["-c", "alarm_email=a@b.c"],
            ["monthly_budget_usd"],
            {"alarm_email": "a@b.c", "monthly_budget_usd": "none"},
        ),
        (
            {"alarm_email": "none", "monthly_budget_usd": "9"},
            [],
            [],
            {"alarm_email": "none", "monthly_budget_usd": "9"},
        ),
    ],
)
def test_a_first_deployment_asks_who_hears_of_trouble_and_a_later_one_does_not(
    kept: dict[str, str], given: list[str], asked: list[str], settled: dict[str, str], cli: Cli
) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "me@example.com" if "Mail" in question else ""

    main(["deploy", "--stage", "dev", *given], cdk=cli, session=session({DEV: kept}), look=fine, ask=ask)

    (call,) = cli.calls
    pairs = dict(call[index + 1].split("=", 1) for index, part in enumerate(call) if part == "-c")
    assert len(questions) == len(asked)
    assert pairs == {"stage": "dev", **settled}


DEV = "/GenerateOnCloud-dev/options"


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        ([], {"instance_type": "ml.g6.xlarge", "waf": "true"}),
        (["-c", "waf=default"], {"instance_type": "ml.g6.xlarge"}),
        (["-c", "waf=false"], {"instance_type": "ml.g6.xlarge", "waf": "false"}),
        (["-c", "max_instances=3"], {"instance_type": "ml.g6.xlarge", "max_instances": "3", "waf": "true"}),
        (["--reset"], {}),
        (["--reset", "-c", "idle_minutes=9"], {"idle_minutes": "9"}),
    ],
)
@pytest.mark.parametrize("command", ["deploy", "diff"])
def test_what_a_stage_was_deployed_with_need_not_be_said_again(
    command: str, asked: list[str], settled: dict[str, str], cli: Cli
) -> None:
    kept = {DEV: {"instance_type": "ml.g6.xlarge", "waf": "true"}, "/GenerateOnCloud/options": {"vpc": "new"}}

    assert main([command, "--stage", "dev", *asked], cdk=cli, session=session(kept), look=fine) == 0

    (call,) = cli.calls
    pairs = dict(call[index + 1].split("=", 1) for index, part in enumerate(call) if part == "-c")
    assert pairs == {"stage": "dev", **settled}


def test_what_changes_is_said(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {DEV: {"waf": "true", "idle_minutes": "7"}}

    main(["diff", "--stage", "dev", "-c", "waf=default", "-c", "vpc=new"], cdk=cli, session=session(kept), look=fine)

    assert capsys.readouterr().out.splitlines() == [
        "options: idle_minutes=7, vpc=new",
        "  vpc: default -> new",
        "  waf: true -> default",
    ]


def test_a_kept_option_this_version_does_not_know_is_dropped_but_one_asked_for_is_refused(cli: Cli) -> None:
    kept = {DEV: {"colour": "red", "waf": "true"}}

    codes = [
        main(["deploy", "--stage", "dev", *asked], cdk=cli, session=session(kept), look=fine)
        for asked in ([], ["-c", "colour=red"])
    ]

    assert codes == [0, 2]
    assert "waf=true" in cli.calls[0]
    assert not [part for part in cli.calls[0] if "colour" in part]


def test_kept_options_that_do_not_go_with_those_asked_for_are_refused(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {DEV: {"min_instances": "2", "max_instances": "4"}}

    code = main(["deploy", "--stage", "dev", "-c", "max_instances=1"], cdk=cli, session=session(kept), look=fine)

    assert (code, cli.calls) == (2, [])
    assert "min_instances 2 is above max_instances 1" in capsys.readouterr().err


def test_without_credentials_nothing_is_deployed(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    def nobody() -> Any:
        raise NoCredentialsError

    assert main(["deploy"], cdk=cli, session=nobody) == 1
    assert cli.calls == []
    assert "make preflight" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reasons", "code", "calls"),
    [
        ([], 0, 1),
        ([REFUSED], 0, 2),
        ([REFUSED, REFUSED, REFUSED], 1, 3),
        (["ResourceLimitExceeded"], 1, 1),
    ],
    ids=["accepted", "an endpoint that began to scale", "one that always does", "for another reason"],
)
def test_a_deployment_that_a_scaling_endpoint_refused_is_made_again(
    reasons: list[str], code: int, calls: int, cli: Cli
) -> None:
    """`reasons`: why CloudFormation cannot update the endpoint, try by try."""
    left, told = iter(reasons), list[str]()

    class Formation:
        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, *, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
            assert StackName == "GenerateOnCloud-dev-Inference"
            return [{"StackEvents": [{"Timestamp": datetime.now(UTC), "ResourceStatusReason": told[-1]}]}]

        def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
            return {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]}

    def deploys(arguments: Sequence[str]) -> int:
        cli(arguments)
        told.append(next(left, ""))
        return 1 if told[-1] else 0

    account = session({}, cloudformation=Formation)
    assert main(["deploy", "--stage", "dev"], cdk=deploys, session=account, look=fine) == code
    assert len(cli.calls) == calls
    assert all(call == cli.calls[0] for call in cli.calls)


def test_the_template_keeps_what_was_asked_for_and_no_default(changed: "Assembly", aws: "Assembly") -> None:
    kept = [json.loads(assembly.like("AWS::SSM::Parameter", "Options")["Value"]) for assembly in (changed, aws)]

    assert kept[1] == {}
    assert len(kept[0]) >= 18
    assert (kept[0]["waf"], kept[0]["idle_minutes"], "stage" in kept[0]) == ("true", "12", False)
    assert StageConfig.from_context(kept[0]).subnet_ids == ("subnet-0a1b2c3d", "subnet-1a1b2c3d")


def test_an_option_that_may_be_absent_can_be_declined(cli: Cli) -> None:
    config = StageConfig.from_context({"alarm_email": "none", "monthly_budget_usd": "none", "kms_key": "none"})

    assert config == StageConfig()


def test_the_clis_version_is_one_number() -> None:
    assert CDK.startswith("aws-cdk@")
    assert CDK.partition("@")[2].replace(".", "").isdigit()


def test_whatever_deploying_imports_is_in_the_small_environment() -> None:
    needed = {canonicalize_name(found.name) for found in walk_closure(tuple(read_requirements("deploy")))}
    ours = {"generate-on-cloud", "setuptools", "pip"}
    hidden = [
        name
        for name, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & (needed | ours)
    ]

    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=ROOT, input=json.dumps(hidden), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert {"torch", "uvicorn", "ministack"} <= set(hidden)
    assert not needed & {"torch", "diffusers", "transformers", "ministack", "moto"}
    assert run.returncode == 0, run.stderr


def test_without_the_cli_the_templates_are_written_into_cdk_out(tmp_path: Path) -> None:
    """The CDK's own choice would be a temporary folder."""
    script = "from infrastructure.assembly import output_folder; print(output_folder(None))"
    told = {}
    for name, value in (("", None), ("the CLI's", str(tmp_path))):
        environment = {key: text for key, text in os.environ.items() if key != "CDK_OUTDIR"}
        environment |= {} if value is None else {"CDK_OUTDIR": value}
        run = subprocess.run(
            [sys.executable, "-c", f"from infrastructure.node import choose_node; choose_node(); {script}"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        told[name] = run.stdout.strip()

    assert told == {"": str(ROOT / "cdk.out"), "the CLI's": str(tmp_path)}

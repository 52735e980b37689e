"""`make deploy`, `make diff`, `make synth`: what the CDK's CLI is given, and in which environment."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from infrastructure.bundling import read_requirements, walk_closure
from infrastructure.deploy import CDK, main

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
    code = main(["deploy", "--stage", "dev", "-c", "max_instances=2", "--profile", "me"], cdk=cli)

    (call,) = cli.calls
    assert code == 0
    assert call[:4] == ["deploy", "--all", "--require-approval", "never"]
    assert call[call.index("--app") + 1] == f'"{sys.executable}" app.py'
    assert call[-6:] == ["-c", "stage=dev", "-c", "max_instances=2", "--profile", "me"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-c", "max_instances"], "-c takes NAME=VALUE, got max_instances"),
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

    assert {"torch", "httpx", "ministack"} <= set(hidden)
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

"""The app synthesised once for AWS, for this machine and with every number changed; shared by all tests and workers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]

KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-1111-2222-0123456789ab"

CHANGED = {
    "stage": "dev",
    "instance_type": "ml.g6.12xlarge",
    "min_instances": "1",
    "max_instances": "4",
    "backlog_per_instance": "5",
    "idle_minutes": "12",
    "compile_unet": "true",
    "preload": "01890a5d-ac96-774b-bcce-b302099a8057/dream.safetensors",
    "job_retention_days": "3",
    "log_retention_days": "7",
    "api_requests_per_second": "7",
    "api_burst": "9",
    "key_requests_per_minute": "99",
    "waiting_requests": "50",
    "alarm_email": "oncall@example.com",
    "oldest_job_minutes": "25",
    "monthly_budget_usd": "250",
    "otlp_endpoint": "http://collector.internal:4318",
    "waf": "true",
    "sdapi": "true",
    "noncommercial_models": "true",
    "deleted_models_days": "14",
    "keep_data": "false",
    "subnet_ids": "subnet-0a1b2c3d,subnet-1a1b2c3d",
    "security_group_ids": "sg-0a1b2c3d",
    "image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/goc:1.0",
}

OPTIONS: dict[str, tuple[dict[str, str], ...]] = {
    "vpc": ({}, {"vpc": "new"}, {"subnet_ids": "subnet-0a1b2c3d", "security_group_ids": "sg-0a1b2c3d"}),
    "key": ({}, {"kms_key": "new"}, {"kms_key": KEY_ARN}),
    "instances": ({}, {"instance_type": "ml.g6.12xlarge"}, {"instance_type": "ml.g7e.2xlarge"}),
    "stage": ({}, {"stage": "dev"}, {"stage": "prod"}),
    "firewall": ({}, {"waf": "true"}),
    "told": ({}, {"alarm_email": "oncall@example.com", "monthly_budget_usd": "250"}),
    "image": ({}, {"image_uri": "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/team/goc:1.0"}),
    "programs": ({}, {"sdapi": "true", "noncommercial_models": "true"}),
}
"""Whatever adds or takes away resources, each with its choices; the first is the default."""

COMBINATIONS = (
    (0, 0, 0, 0, 0, 0, 0, 0),
    (0, 1, 1, 2, 0, 0, 0, 0),
    (0, 2, 2, 1, 1, 0, 0, 0),
    (1, 0, 1, 1, 1, 1, 0, 0),
    (1, 1, 2, 0, 0, 1, 1, 0),
    (1, 2, 0, 2, 1, 0, 0, 0),
    (2, 0, 2, 2, 0, 1, 1, 0),
    (2, 1, 0, 1, 1, 0, 0, 1),
    (2, 2, 1, 0, 1, 0, 1, 1),
    (0, 2, 0, 1, 0, 1, 1, 1),
    (1, 0, 2, 2, 0, 0, 0, 1),
)
"""Choices of `OPTIONS`: every two choices of two options meet in a row (all 1296 rows would take twenty minutes)."""

ONLY_TEMPLATES = {"local": "true", "aws:cdk:disable-asset-staging": "true"}
"""Without a copy of the bundle in each assembly."""

SYNTHESISE_EACH = """
import json, sys
from pathlib import Path
from infrastructure.node import choose_node
choose_node()
from infrastructure.assembly import synthesise
for folder, context in json.load(sys.stdin):
    synthesise(outdir=Path(folder), context=context)
"""


@dataclass(frozen=True)
class Assembly:
    """A synthesised app, read back from its files."""

    folder: Path

    @property
    def template_paths(self) -> list[Path]:
        """One a stack: the core, then the others."""
        return sorted(self.folder.glob("*.template.json"), key=lambda path: path.name.split(".", 1)[0])

    @property
    def stack_names(self) -> list[str]:
        return [path.name.removesuffix(".template.json") for path in self.template_paths]

    @cached_property
    def template(self) -> dict[str, dict[str, Any]]:
        """Resources and outputs of all stacks together; what one reads from another's parameters is filled in."""
        whole: dict[str, dict[str, Any]] = {"Resources": {}, "Outputs": {}}
        templates = [json.loads(path.read_text()) for path in self.template_paths]
        handed_over = parameters_of(templates[0])
        for template in templates:
            read = {
                name: handed_over[parameter["Default"]]
                for name, parameter in template.get("Parameters", {}).items()
                if name != "BootstrapVersion"
            }
            for section, entries in whole.items():
                assert not entries.keys() & template.get(section, {}).keys()
                entries.update(_filled_in(template.get(section, {}), read))
        return whole

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id."""
        every = self.template["Resources"].items()
        return {name: resource.get("Properties", {}) for name, resource in every if resource["Type"] == kind}

    def only(self, kind: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        (properties,) = self.resources(kind).values()
        return properties

    def like(self, kind: str, part: str) -> dict[str, Any]:
        """The properties of the only resource of a type with `part` in its logical id."""
        (properties,) = [value for name, value in self.resources(kind).items() if part in name]
        return properties

    def json_file(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text())
        return content

    @property
    def assets(self) -> dict[str, Any]:
        """File and image assets of all stacks."""
        kinds: dict[str, Any] = {}
        for name in self.stack_names:
            for kind, entries in self.json_file(f"{name}.assets.json").items():
                if isinstance(entries, dict):
                    kinds.setdefault(kind, {}).update(entries)
        return kinds

    @property
    def lambda_asset(self) -> Path:
        """The folder that all functions without a bundle of their own are made of."""
        return self._asset_of(lambda handler: not handler.startswith(("lambdas.console.", "lambdas.sdapi.")))

    @property
    def sdapi_asset(self) -> Path:
        """The folder that the function of the option `sdapi` is made of."""
        return self._asset_of(lambda handler: handler.startswith("lambdas.sdapi."))

    @property
    def console_asset(self) -> Path:
        """The folder that the console's function is made of."""
        return self._asset_of(lambda handler: handler.startswith("lambdas.console."))

    def _asset_of(self, is_meant: Callable[[str], bool]) -> Path:
        functions = self.resources("AWS::Lambda::Function").values()
        (key,) = {function["Code"]["S3Key"] for function in functions if is_meant(function["Handler"])}
        return self.folder / f"asset.{key.removesuffix('.zip')}"

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement of a role, with its policy's logical id."""
        for name, properties in self.resources("AWS::IAM::Policy").items():
            for statement in properties["PolicyDocument"]["Statement"]:
                yield name, statement


def parameters_of(template: Mapping[str, Any]) -> dict[str, Any]:
    """What a stack writes into parameters of SSM, by their names."""
    return {
        resource["Properties"]["Name"]: resource["Properties"]["Value"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::SSM::Parameter"
    }


def _filled_in(node: Any, read: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        if node.get("Ref") in read:
            return read[node["Ref"]]
        if "Fn::Select" in node:
            index, listed = node["Fn::Select"]
            listed = _filled_in(listed, read)
            if isinstance(listed, dict) and listed.get("Fn::Join", ("",))[0] == ",":
                return listed["Fn::Join"][1][int(index)]
        return {name: _filled_in(value, read) for name, value in node.items()}
    return [_filled_in(each, read) for each in node] if isinstance(node, list) else node


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "JSII_", "AWS_"))}


def run_app(outdir: Path, context: Mapping[str, str], *, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """`python app.py`; with `path` as PATH."""
    pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
    return subprocess.run(
        [sys.executable, "app.py", "-o", str(outdir), *pairs],
        cwd=ROOT,
        env=_environment() | ({"PATH": path} if path is not None else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _synthesise(
    factory: pytest.TempPathFactory, name: str, context: Mapping[str, str], *, path: str | None = None
) -> Assembly:
    outdir = _shared(factory) / f"assembly-{name}"
    with FileLock(f"{outdir}.lock"):
        if not (outdir / "manifest.json").exists():
            (outdir / "asset.stale").mkdir(parents=True)
            run = run_app(outdir, context, path=path)
            assert run.returncode == 0, run.stdout + run.stderr
    return Assembly(outdir)


def _shared(factory: pytest.TempPathFactory) -> Path:
    """Parallel workers of one run have a base folder each below a common one."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@dataclass(frozen=True)
class Combination:
    """One row of choices, by option, and what comes of it."""

    choices: Mapping[str, int]
    context: Mapping[str, str]
    assembly: Assembly


Synthesise = Callable[[str, Mapping[str, Mapping[str, str]]], dict[str, Assembly]]
"""From a name of the lot and the contexts by name to the assemblies by name."""


@pytest.fixture(scope="session")
def synthesise_each(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """Synthesises many contexts by one process, templates only; once for all workers."""

    def synthesise(lot: str, contexts: Mapping[str, Mapping[str, str]]) -> dict[str, Assembly]:
        folder = _shared(tmp_path_factory) / lot
        found = {name: Assembly(folder / str(number)) for number, name in enumerate(contexts)}
        with FileLock(f"{folder}.lock"):
            if not (folder / "done").exists():
                told = [[str(found[name].folder), {**context, **ONLY_TEMPLATES}] for name, context in contexts.items()]
                run = subprocess.run(
                    [sys.executable, "-c", SYNTHESISE_EACH],
                    cwd=ROOT,
                    env=_environment(),
                    input=json.dumps(told),
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=600,
                )
                assert run.returncode == 0, run.stdout + run.stderr
                (folder / "done").touch()
        return found

    return synthesise


@pytest.fixture(scope="session")
def combined(synthesise_each: Synthesise) -> list[Combination]:
    """The app with each row of options."""
    contexts = []
    for row in COMBINATIONS:
        chosen = zip(OPTIONS.values(), row, strict=True)
        contexts.append({name: value for choices, choice in chosen for name, value in choices[choice].items()})
    assemblies = synthesise_each("combinations", {str(number): context for number, context in enumerate(contexts)})
    return [
        Combination(dict(zip(OPTIONS, row, strict=True)), context, assembly)
        for row, context, assembly in zip(COMBINATIONS, contexts, assemblies.values(), strict=True)
    ]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """What `cdk deploy` deploys."""
    return _synthesise(tmp_path_factory, "aws", {})


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """What the local cloud deploys."""
    return _synthesise(tmp_path_factory, "local", {"local": "true"})


@pytest.fixture(scope="session")
def private(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """An endpoint in a new VPC, in production."""
    return _synthesise(tmp_path_factory, "private", {"stage": "prod", "vpc": "new"})


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Every number and name changed, on a machine without Node."""
    empty = tmp_path_factory.mktemp("no-node-here")
    return _synthesise(tmp_path_factory, "changed", CHANGED | {"local": "true"}, path=str(empty))

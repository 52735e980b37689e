"""The app synthesised once for AWS, for this machine and with every number changed; shared by all tests and workers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]

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
    "alarm_email": "oncall@example.com",
    "oldest_job_minutes": "25",
    "monthly_budget_usd": "250",
    "waf": "true",
    "keep_data": "false",
    "subnet_ids": "subnet-0a1b2c3d,subnet-1a1b2c3d",
    "security_group_ids": "sg-0a1b2c3d",
    "image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/goc:1.0",
}


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

    @property
    def template(self) -> dict[str, dict[str, Any]]:
        """Resources and outputs of all stacks together, what one imports from another filled in."""
        whole: dict[str, dict[str, Any]] = {"Resources": {}, "Outputs": {}}
        for path in self.template_paths:
            template = json.loads(path.read_text())
            for section, entries in whole.items():
                assert not entries.keys() & template.get(section, {}).keys()
                entries.update(template.get(section, {}))
        exports = {
            output["Export"]["Name"]: output["Value"] for output in whole["Outputs"].values() if "Export" in output
        }
        return {section: _without_imports(entries, exports) for section, entries in whole.items()}

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
        """The folder all functions are made of."""
        keys = {properties["Code"]["S3Key"] for properties in self.resources("AWS::Lambda::Function").values()}
        (key,) = keys
        return self.folder / f"asset.{key.removesuffix('.zip')}"

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement of a role, with its policy's logical id."""
        for name, properties in self.resources("AWS::IAM::Policy").items():
            for statement in properties["PolicyDocument"]["Statement"]:
                yield name, statement


def _without_imports(node: Any, exports: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        if "Fn::ImportValue" in node:
            return exports[node["Fn::ImportValue"]]
        return {name: _without_imports(value, exports) for name, value in node.items()}
    return [_without_imports(each, exports) for each in node] if isinstance(node, list) else node


def run_app(outdir: Path, context: Mapping[str, str], *, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """`python app.py`; with `path` as PATH."""
    pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "JSII_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "app.py", "-o", str(outdir), *pairs],
        cwd=ROOT,
        env=keep | ({"PATH": path} if path is not None else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _synthesise(
    factory: pytest.TempPathFactory, name: str, context: Mapping[str, str], *, path: str | None = None
) -> Assembly:
    # Parallel workers of one run have a base folder each below a common one.
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    outdir = shared / f"assembly-{name}"
    with FileLock(f"{outdir}.lock"):
        if not (outdir / "manifest.json").exists():
            (outdir / "asset.stale").mkdir(parents=True)
            run = run_app(outdir, context, path=path)
            assert run.returncode == 0, run.stdout + run.stderr
    return Assembly(outdir)


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

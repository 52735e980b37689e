"""A row of the preflight, and what the checks work on."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from infrastructure.bundling import ROOT
from infrastructure.config import StageConfig
from infrastructure.deployed import ClientOf

DOCKER_SECONDS: Final = 5


class Verdict(StrEnum):
    OK = "ok"
    LOOK = "look"
    """A deployment works, but someone should know about this."""
    STOP = "stop"
    """A deployment would fail or do harm."""


@dataclass(frozen=True)
class Row:
    """One line: the finding and, unless it is fine, the command that fixes it."""

    name: str
    verdict: Verdict
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:5} {self.name:12} {self.text}" + (f": {self.mend}" if self.mend else "")


@dataclass(frozen=True)
class Machine:
    """The machine that deploys."""

    folder: Path = ROOT

    def docker_version(self) -> str | None:
        """Version of the Docker daemon; None if Docker is missing or not running."""
        return self._docker("version", "--format", "{{.Server.Version}}")

    def free_gigabytes(self) -> float:
        """Free space where Docker keeps images, or on this disk if that is inside a virtual machine."""
        root = self._docker("info", "--format", "{{.DockerRootDir}}")
        return shutil.disk_usage(root if root and Path(root).is_dir() else self.folder).free / 2**30

    @staticmethod
    def _docker(*arguments: str) -> str | None:
        docker = shutil.which("docker")
        if docker is None:
            return None
        try:
            run = subprocess.run(  # noqa: S603
                [docker, *arguments], capture_output=True, text=True, check=False, timeout=DOCKER_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return run.stdout.strip() or None if run.returncode == 0 else None


@dataclass(frozen=True)
class Subject:
    """A stage that is about to be deployed, and the account it goes to."""

    config: StageConfig
    client: ClientOf
    account: str
    region: str
    kept: Mapping[str, str] | None
    """The options it was deployed with; None if it does not exist."""
    settled: Mapping[str, str]
    """The options it will have."""
    machine: Machine = field(default_factory=Machine)

    @cached_property
    def endpoint(self) -> Mapping[str, Any] | None:
        """SageMaker's description of the default endpoint; None if it does not exist."""
        try:
            found: Mapping[str, Any] = self.client("sagemaker").describe_endpoint(
                EndpointName=self.config.default_endpoint
            )
        except ClientError as error:
            if "Could not find" in error_message(error):
                return None
            raise
        return found

    def instances(self, endpoint: Mapping[str, Any] | None, *, kind: str | None = None) -> int:
        """How many an endpoint runs right now; with `kind`, only those of this instance type."""
        if endpoint is None:
            return 0
        variants = endpoint.get("ProductionVariants", ())
        if kind is not None:
            asked = {"EndpointConfigName": endpoint["EndpointConfigName"]}
            made_of = self.client("sagemaker").describe_endpoint_config(**asked)["ProductionVariants"]
            names = {each["VariantName"] for each in made_of if each.get("InstanceType") == kind}
            variants = [variant for variant in variants if variant["VariantName"] in names]
        return sum(int(variant.get("CurrentInstanceCount", 0)) for variant in variants)


Check = Callable[[Subject], Row]


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))

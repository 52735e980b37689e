"""China and GovCloud: the templates name neither partition nor domain, and ask for nothing that is not there."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infrastructure.config import ConfigError, StageConfig
from infrastructure.regions import refuse_absent

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Combination

ROOT = Path(__file__).resolve().parents[2]

REGIONS = {"cn-north-1": ("aws-cn", "amazonaws.com.cn"), "us-gov-west-1": ("aws-us-gov", "amazonaws.com")}
"""Partition and domain of one region each."""


@dataclass(frozen=True)
class Deployed:
    """A template as it is in one region: `text` of a value, as far as it can be known before it is deployed."""

    pseudo: Mapping[str, str]

    def text(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.text(each) for each in node]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Ref"} and node["Ref"] in self.pseudo:
            return self.pseudo[node["Ref"]]
        inner = {name: self.text(value) for name, value in node.items()}
        if node.keys() == {"Fn::Join"}:
            between, parts = inner["Fn::Join"]
            if isinstance(parts, list):
                return between.join(part if isinstance(part, str) else "{something}" for part in parts)
        return inner


def strings(node: Any) -> set[str]:
    if isinstance(node, dict):
        return {text for each in node.values() for text in strings(each)}
    if isinstance(node, list):
        return {text for each in node for text in strings(each)}
    return {node} if isinstance(node, str) else set()


def deployed(row: "Combination", region: str) -> Any:
    partition, domain = REGIONS[region]
    pseudo = {
        "AWS::Partition": partition,
        "AWS::URLSuffix": domain,
        "AWS::Region": region,
        "AWS::AccountId": "123456789012",
    }
    return Deployed(pseudo).text(row.assembly.template)


def own(combined: list["Combination"]) -> list["Combination"]:
    """Rows without an image or a key that is there already: the ARN of either is its owner's."""
    rows = [row for row in combined if "image_uri" not in row.context and row.choices["key"] != 2]
    assert len(rows) >= 3
    return rows


@pytest.mark.parametrize("region", REGIONS)
def test_every_arn_is_of_the_partition_it_is_deployed_to(combined: list["Combination"], region: str) -> None:
    partitions = {
        partition
        for row in own(combined)
        for text in strings(deployed(row, region))
        for partition in re.findall(r"\barn:([^:]*):", text)
    }

    assert partitions == {REGIONS[region][0]}


@pytest.mark.parametrize("region", REGIONS)
def test_every_host_is_of_the_partitions_domain(combined: list["Combination"], region: str) -> None:
    """Service principals and names of gateways are no hosts: `lambda.amazonaws.com` is one's name in China too."""
    _, domain = REGIONS[region]
    hosts = {
        text
        for row in own(combined)
        for text in strings(deployed(row, region))
        if "amazonaws" in text
        and not re.fullmatch(rf"[a-z-]+\.amazonaws\.com|com\.amazonaws\.{region}\.(s3|dynamodb)", text)
    }
    wrong = {text for text in hosts if re.search(rf"amazonaws(?!{re.escape(domain.removeprefix('amazonaws'))})", text)}

    assert wrong == set()
    assert any(".execute-api." in text or "dkr.ecr" in text for text in hosts), hosts


@pytest.mark.parametrize("region", REGIONS)
def test_the_service_that_encrypts_logs_has_the_name_it_has_there(combined: list["Combination"], region: str) -> None:
    keys = [
        resource["Properties"]["KeyPolicy"]
        for row in own(combined)
        for resource in deployed(row, region)["Resources"].values()
        if resource["Type"] == "AWS::KMS::Key"
    ]

    assert keys
    assert all(f"logs.{region}.{REGIONS[region][1]}" in strings(policy) for policy in keys)


def lint(templates: list[Path], *regions: str) -> str:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "-r", *regions, "--", *map(str, templates)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600).stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_resource_exists_in_china_and_govcloud_but_the_budget(combined: list["Combination"]) -> None:
    (full,) = [row for row in combined if row.context.keys() >= {"vpc", "waf", "monthly_budget_usd"}]
    with_key = next(row for row in combined if row.context.get("kms_key") == "new")

    said = lint([*full.assembly.template_paths, with_key.assembly.template_paths[0]], *REGIONS)

    assert re.findall(r"^[EW]\d+ .*", said, re.MULTILINE) == [
        "E3006 Resource type 'AWS::Budgets::Budget' does not exist in 'us-gov-west-1'"
    ]


def test_what_a_region_does_not_have_is_refused_by_name_with_the_way_out() -> None:
    told = StageConfig(monthly_budget_usd=20)

    with pytest.raises(
        ConfigError, match=r"-c monthly_budget_usd is not available in us-gov-west-1: .*commercial account"
    ):
        refuse_absent(told, region="us-gov-west-1")
    for config, region in ((told, "cn-north-1"), (told, None), (StageConfig(), "us-gov-west-1")):
        refuse_absent(config, region=region)


def test_without_a_budget_no_policy_names_the_service_govcloud_does_not_have(combined: list["Combination"]) -> None:
    named = {
        "monthly_budget_usd" in row.context: "budgets.amazonaws.com" in json.dumps(row.assembly.template)
        for row in combined
    }

    assert named == {False: False, True: True}


def test_the_command_refuses_before_it_builds_anything(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "app.py", "-o", str(tmp_path), "-c", "monthly_budget_usd=20"],
        cwd=ROOT,
        env={**os.environ, "CDK_DEFAULT_REGION": "us-gov-west-1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert run.returncode == 1
    assert run.stderr.startswith("error: -c monthly_budget_usd is not available in us-gov-west-1")
    assert list(tmp_path.iterdir()) == []

"""Whatever options are combined: cdk-nag and cfn-lint find nothing, and no two stages share a name."""

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly, Combination

INNER_NAMES = {
    ("AWS::ApiGateway::Stage", "StageName"): "of its API",
    ("AWS::ApplicationAutoScaling::ScalingPolicy", "PolicyName"): "of its scalable target",
    ("AWS::CloudWatch::Alarm", "MetricName"): "what it looks at; its dimensions are held apart below",
    ("AWS::IAM::Policy", "PolicyName"): "of its role",
}
"""Names that need to be unique within something that is a stage's own, and within what."""


def test_every_two_choices_of_two_options_meet(combined: list["Combination"]) -> None:
    counts = {option: 1 + max(row.choices[option] for row in combined) for option in combined[0].choices}
    wanted = {
        (one, first, other, second)
        for one, other in combinations(counts, 2)
        for first in range(counts[one])
        for second in range(counts[other])
    }

    met = {
        (one, row.choices[one], other, row.choices[other]) for row in combined for one, other in combinations(counts, 2)
    }

    assert wanted - met == set()
    assert min(counts.values()) >= 2


def test_cdk_nag_finds_nothing_in_any_combination(combined: list["Combination"]) -> None:
    found = {
        str(row.context): report["violations"]
        for row in combined
        for report in row.assembly.json_file("validation-report.json")["pluginReports"]
        if report["pluginName"] == "AwsSolutions" and (report["violations"] or report["conclusion"] != "success")
    }

    assert found == {}


def test_code_for_non_commercial_use_is_built_into_the_image_only_where_it_was_chosen(
    combined: list["Combination"],
) -> None:
    built = {
        (row.context.get("noncommercial_models", "false"), str(image["source"].get("dockerBuildArgs")))
        for row in combined
        for image in row.assembly.assets["dockerImages"].values()
    }

    assert built == {("false", "None"), ("true", str({"BARE_GROUPS": "upscalers noncommercial"}))}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("stack", [0, 1, 2], ids=["core", "inference", "ops"])
def test_cfn_lint_finds_nothing_in_any_combination(combined: list["Combination"], stack: int) -> None:
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            *(str(row.assembly.template_paths[stack]) for row in combined),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert (run.returncode, run.stdout) == (0, "")


def names(assembly: "Assembly") -> set[str]:
    """Every name that is written out in the templates, and none that CloudFormation makes up."""
    given = {
        value
        for resource in assembly.template["Resources"].values()
        for name, value in resource.get("Properties", {}).items()
        if (name.endswith("Name") or (resource["Type"], name) == ("AWS::SSM::Parameter", "Name"))
        and isinstance(value, str)
        and (resource["Type"], name) not in INNER_NAMES
    }
    exports = {str(each["Export"]["Name"]) for each in assembly.template["Outputs"].values() if "Export" in each}
    return given | exports | set(assembly.stack_names)


def test_stages_side_by_side_share_no_name(combined: list["Combination"]) -> None:
    by_stage: dict[int, set[str]] = {}
    for row in combined:
        by_stage.setdefault(row.choices["stage"], set()).update(names(row.assembly))

    shared = {first: by_stage[first] & by_stage[second] for first, second in combinations(sorted(by_stage), 2)}

    assert len(by_stage) == 3
    assert {"goc-main-default", "goc-dev-default", "goc-prod-default"} <= set.union(*by_stage.values())
    assert not any(shared.values()), shared


def test_names_say_their_stage_so_that_a_fourth_stage_shares_none_either(combined: list["Combination"]) -> None:
    for row in combined:
        stage = row.context.get("stage", "")
        said = re.compile(rf"^(/?GenerateOnCloud-{stage}|goc-{stage}-)" if stage else r"^(/?GenerateOnCloud|goc-main-)")
        assert [name for name in names(row.assembly) if not said.match(name)] == []


def test_metrics_of_a_stage_are_not_those_of_another(combined: list["Combination"]) -> None:
    def fixed(node: Any) -> set[str]:
        """Values of dimensions that are written out."""
        if isinstance(node, list):
            return {value for each in node for value in fixed(each)}
        if not isinstance(node, dict):
            return set()
        if set(node) == {"Name", "Value"}:
            return {node["Value"]} if isinstance(node["Value"], str) and node["Name"] != "VariantName" else set()
        return {value for each in node.values() for value in fixed(each)}

    by_stage: dict[int, set[str]] = {}
    for row in combined:
        alarms = [dict(alarm) for alarm in row.assembly.resources("AWS::CloudWatch::Alarm").values()]
        firewalls = row.assembly.resources("AWS::WAFv2::WebACL").values()
        told = fixed(alarms) | {acl["VisibilityConfig"]["MetricName"] for acl in firewalls}
        by_stage.setdefault(row.choices["stage"], set()).update(told)

    assert {"GenerateOnCloud-dev", "GenerateOnCloud-dev-Firewall"} <= by_stage[1]
    assert not [pair for pair in combinations(by_stage.values(), 2) if pair[0] & pair[1]]

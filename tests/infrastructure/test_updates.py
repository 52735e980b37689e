"""Every option can be turned on, off and changed on a deployed stage: CloudFormation accepts each change.

An option set is synthesised once; then every ordered pair is held against CloudFormation's rules for an update.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synthesise

ROOT = Path(__file__).resolve().parents[2]
RELEASED = json.loads((Path(__file__).parent / "released_tables.json").read_text())
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-1111-2222-0123456789ab"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/goc:1.0"

OPTION_SETS: dict[str, dict[str, str]] = {
    "the default": {},
    "another instance type": {"instance_type": "ml.g6.12xlarge"},
    "awake": {"min_instances": "1", "max_instances": "3"},
    "other numbers": {
        "backlog_per_instance": "5", "idle_minutes": "12", "scale_out_cooldown_seconds": "9", "job_retention_days": "3",
        "log_retention_days": "7", "api_requests_per_second": "7", "api_burst": "9",
        "key_requests_per_minute": "99", "waiting_requests": "50",
        "oldest_job_minutes": "25",
        "gpu_price_per_hour": "2",
    },
    "a new network": {"vpc": "new"},
    "a network that is there": {"subnet_ids": "subnet-0a1b2c3d", "security_group_ids": "sg-0a1b2c3d"},
    "a new key": {"kms_key": "new"},
    "a key that is there": {"kms_key": KEY_ARN},
    "an image that is there": {"image_uri": IMAGE, "inference_ami": "al2-ami-sagemaker-inference-gpu-2"},
    "a checkpoint": {"preload": "01890a5d-ac96-774b-bcce-b302099a8057/dream.safetensors", "compile_unet": "true"},
    "mails": {"alarm_email": "oncall@example.com"},
    "a budget": {"monthly_budget_usd": "250"},
    "a firewall": {"waf": "true"},
    "programs that speak WebUI's API": {"sdapi": "true"},
    "traces": {"otlp_endpoint": "http://collector.internal:4318"},
    "data that goes": {"keep_data": "false"},
    "models that may earn nothing": {"noncommercial_models": "true"},
    "models that come back": {"deleted_models_days": "14"},
    "everything": {
        "instance_type": "ml.g6.12xlarge", "vpc": "new", "kms_key": "new", "image_uri": IMAGE, "waf": "true",
        "alarm_email": "oncall@example.com", "monthly_budget_usd": "250", "keep_data": "false", "min_instances": "1",
    },
}  # fmt: skip
"""Each option of a stage away from its default, alone or with its like, and many at once."""

Templates = Mapping[str, Mapping[str, Any]]
"""By stack, in the order they are deployed."""


@pytest.fixture(scope="module")
def synthesised(synthesise_each: "Synthesise") -> dict[str, Templates]:
    return {
        name: {path.name.split(".")[0]: json.loads(path.read_text()) for path in assembly.template_paths}
        for name, assembly in synthesise_each("updates", OPTION_SETS).items()
    }


def within(node: Any, intrinsic: str) -> Iterator[Any]:
    """What every use of an intrinsic function names."""
    if isinstance(node, dict):
        yield from [node[intrinsic]] if intrinsic in node else []
        for value in node.values():
            yield from within(value, intrinsic)
    elif isinstance(node, list):
        for value in node:
            yield from within(value, intrinsic)


def exports(template: Mapping[str, Any]) -> dict[str, Any]:
    return {each["Export"]["Name"]: each["Value"] for each in template.get("Outputs", {}).values() if "Export" in each}


def blocked_exports(before: Templates, after: Templates) -> list[str]:
    """Exports that an update would take away or change while a stack that is updated later still imports them."""
    imported = {str(name) for template in before.values() for name in within(template, "Fn::ImportValue")}
    return [
        f"export {name} is in use"
        for stack, template in before.items()
        for name, value in exports(template).items()
        if name in imported and exports(after[stack]).get(name) != value
    ]


def unwritten_parameters(after: Templates) -> list[str]:
    """Parameters of SSM that a stack reads and the core does not write."""
    core, *others = after.values()
    there = {
        each["Properties"].get("Name") for each in core["Resources"].values() if each["Type"].startswith("AWS::SSM")
    }
    return [
        f"nobody writes {parameter['Default']}"
        for template in others
        for parameter in template.get("Parameters", {}).values()
        if parameter["Type"].startswith("AWS::SSM::Parameter::Value") and "cdk-bootstrap" not in parameter["Default"]
        if parameter["Default"] not in there
    ]


def tables(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The indexes of each table: name to keys and projection."""
    return {
        name: {
            index["IndexName"]: [
                [key["AttributeName"] for key in index["KeySchema"]], index["Projection"]["ProjectionType"],
            ]
            for index in resource["Properties"].get("GlobalSecondaryIndexes", [])
        }
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }  # fmt: skip


def refused_indexes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """DynamoDB makes or removes one index of a table in an update, and changes none."""
    found = []
    for table in before.keys() & after.keys():
        old, new = before[table], after[table]
        found += [f"{table}: index {name} would change" for name in old.keys() & new.keys() if old[name] != new[name]]
        if len(different := sorted(old.keys() ^ new.keys())) > 1:
            found.append(f"{table}: {len(different)} indexes in one update: {', '.join(different)}")
    return found


@cache
def create_only(kind: str) -> frozenset[str]:
    """Properties whose change replaces a resource, and those that name it."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return frozenset(path.removeprefix("/properties/").split("/")[0] for path in schema.get("createOnlyProperties", ()))


NAMED_BY = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("ResourceId", "ScalableDimension", "ServiceNamespace"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::SSM::Parameter": ("Name",),
    "AWS::SageMaker::Endpoint": ("EndpointName",),
    "AWS::SageMaker::EndpointConfig": ("EndpointConfigName",),
    "AWS::SageMaker::Model": ("ModelName",),
}
"""What the templates give names to."""


def replaced_under_its_name(before: Templates, after: Templates) -> list[str]:
    """CloudFormation makes the new one first, and so refuses one of the same name."""
    found = []
    for stack, template in before.items():
        for name, old in template["Resources"].items():
            new = after[stack]["Resources"].get(name)
            named = [each for each in NAMED_BY.get(old["Type"], ()) if each in old.get("Properties", {})]
            if new is None or not named or new["Type"] != old["Type"]:
                continue
            ones, others = old["Properties"], new["Properties"]
            differing = [each for each in create_only(old["Type"]) if ones.get(each) != others.get(each)]
            if differing and all(ones[each] == others.get(each) for each in named):
                found.append(f"{stack}: {name} is replaced for its {', '.join(differing)} under the same name")
    return found


def scaled_variants_of_another_type(before: Templates, after: Templates) -> list[str]:
    """SageMaker refuses another instance type for a variant that is registered as a scalable target."""

    def types(templates: Templates) -> dict[str, str]:
        return {
            variant["VariantName"]: variant["InstanceType"]
            for template in templates.values()
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::SageMaker::EndpointConfig"
            for variant in resource["Properties"]["ProductionVariants"]
        }

    old, new = types(before), types(after)
    return [f"variant {name} would change its type" for name in old.keys() & new.keys() if old[name] != new[name]]


def refusals(before: Templates, after: Templates) -> list[str]:
    """Why CloudFormation would not take the update."""
    core = next(iter(before))
    return [
        *blocked_exports(before, after),
        *unwritten_parameters(after),
        *refused_indexes(tables(before[core]), tables(after[core])),
        *replaced_under_its_name(before, after),
        *scaled_variants_of_another_type(before, after),
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_option_is_in_a_set() -> None:
    from infrastructure.config import StageConfig

    assert {name for options in OPTION_SETS.values() for name in options} == StageConfig.model_fields.keys() - {
        "stage",
        "gpus",
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cloudformation_takes_the_way_from_every_option_set_to_every_other(
    synthesised: dict[str, Templates],
) -> None:
    refused = {
        f"{one} -> {other}": found
        for one, other in permutations(synthesised, 2)
        if (found := refusals(synthesised[one], synthesised[other]))
    }

    assert len(synthesised) == len(OPTION_SETS)
    assert refused == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_update_from_the_last_release_makes_or_removes_one_index_of_a_table(
    synthesised: dict[str, Templates],
) -> None:
    """`released_tables.json` is of the last release: spread what is refused here over several of them."""
    now = tables(synthesised["the default"]["GenerateOnCloud"])

    assert refused_indexes(RELEASED["tables"], now) == []
    assert now.keys() == RELEASED["tables"].keys()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (["a", "b"], ["a"], []),
        (["a"], ["a", "b"], []),
        (["a"], ["b"], ["T: 2 indexes in one update: a, b"]),
        (["a", "b"], [], ["T: 2 indexes in one update: a, b"]),
    ],
)
def test_two_indexes_in_one_update_are_found(before: list[str], after: list[str], said: list[str]) -> None:
    one, other = ({"T": {name: [["k"], "ALL"] for name in names}} for names in (before, after))

    assert refused_indexes(one, other) == said


def test_an_export_that_is_in_use_is_found() -> None:
    core: dict[str, Any] = {"Resources": {}, "Outputs": {"O": {"Value": {"Ref": "Key"}, "Export": {"Name": "Key"}}}}
    reader = {"Resources": {"A": {"Type": "T", "Properties": {"Key": {"Fn::ImportValue": "Key"}}}}}
    bare: dict[str, Any] = {"Resources": {}}

    assert refusals({"Core": core, "Ops": reader}, {"Core": bare, "Ops": bare}) == ["export Key is in use"]
    assert refusals({"Core": bare, "Ops": bare}, {"Core": core, "Ops": reader}) == []


def test_a_replacement_under_the_same_name_is_found() -> None:
    def stack(**properties: Any) -> Templates:
        return {"Core": {"Resources": {"E": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": properties}}}}

    one, other = ([{"VariantName": kind, "InstanceType": kind}] for kind in ("ml.g5.xlarge", "ml.g6.xlarge"))
    same = [{"VariantName": "ml.g5.xlarge", "InstanceType": "ml.g6.xlarge"}]

    assert refusals(stack(ProductionVariants=one), stack(ProductionVariants=other)) == []
    assert refusals(stack(ProductionVariants=one), stack(ProductionVariants=same)) == [
        "variant ml.g5.xlarge would change its type"
    ]
    assert refusals(
        stack(ProductionVariants=one, EndpointConfigName="c"), stack(ProductionVariants=other, EndpointConfigName="c")
    ) == ["Core: E is replaced for its ProductionVariants under the same name"]

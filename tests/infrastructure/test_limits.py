"""AWS's limits that neither cfn-lint nor cdk-nag counts, with names as long as they can get."""

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly, Combination

STACK = "GenerateOnCloud-" + "s" * 16
PSEUDO = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com.cn",
    "AWS::StackName": f"{STACK}-Inference",
}
POLICY_CHARACTERS = 10_240
"""Of all inline policies of a role together, white space apart."""
ENVIRONMENT_BYTES = 4_096
"""Of all names and values of a function's environment."""


def longest(node: Any) -> Any:
    """`node` with each reference to a resource replaced by the longest it can become."""
    match node:
        case list():
            value: Any = [longest(each) for each in node]
        case {"Ref": name}:
            value = PSEUDO.get(name) or f"{STACK}-{name}-ABCDEFGHIJKLM"
        case {"Fn::GetAtt": [name, _]}:
            value = f"arn:aws-us-gov:application:ap-southeast-1:123456789012:resource-type/{STACK}-{name}-ABCDEFGHIJKLM"
        case {"Fn::Join": [separator, parts]}:
            value = separator.join(longest(part) for part in parts)
        case dict() if any(key.startswith("Fn::") for key in node):
            value = "part-of-an-arn-" * 6
        case dict():
            value = {key: longest(inner) for key, inner in node.items()}
        case _:
            value = node
    return value


def test_inline_policies_of_a_role_stay_below_what_iam_takes(combined: list["Combination"]) -> None:
    sizes: dict[str, int] = {}
    for row in combined:
        of_role: defaultdict[str, int] = defaultdict(int)
        for policy in row.assembly.resources("AWS::IAM::Policy").values():
            text = json.dumps(longest(policy["PolicyDocument"]), separators=(",", ":"))
            for role in policy["Roles"]:
                of_role[role["Ref"]] += len(text)
        sizes |= {f"{role} of {row.context}": size for role, size in of_role.items()}

    assert {role: size for role, size in sizes.items() if size > POLICY_CHARACTERS} == {}
    assert max(sizes.values()) > POLICY_CHARACTERS / 4, "the policies are not counted"


def test_environments_of_functions_stay_below_what_lambda_takes(combined: list["Combination"]) -> None:
    sizes = {
        name: sum(len(part.encode()) for pair in longest(function["Environment"]["Variables"]).items() for part in pair)
        for row in combined
        for name, function in row.assembly.resources("AWS::Lambda::Function").items()
        if "Environment" in function
    }

    assert sizes
    assert max(sizes.values()) < ENVIRONMENT_BYTES


def test_the_endpoint_waits_for_the_rights_of_its_role(private: "Assembly") -> None:
    resources = private.template["Resources"]
    (model,) = [value for value in resources.values() if value["Type"] == "AWS::SageMaker::Model"]
    joining = [name for name in resources if "JoinNetwork" in name]

    assert joining
    assert set(joining) <= set(model["DependsOn"])

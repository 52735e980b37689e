"""An endpoint in a VPC: in none unless asked, in one that is there, or in a new one that cannot reach the internet."""

import json

from infrastructure.network import INTERFACE_ACTIONS

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly


def test_the_endpoint_is_in_no_vpc_unless_one_is_asked_for(aws: "Assembly") -> None:
    kinds = {resource["Type"] for resource in aws.template["Resources"].values()}

    assert "VpcConfig" not in aws.only("AWS::SageMaker::Model")
    assert not [kind for kind in kinds if kind.startswith("AWS::EC2::")]


def test_a_vpc_that_is_there_is_used_as_it_is(changed: "Assembly") -> None:
    assert changed.only("AWS::SageMaker::Model")["VpcConfig"] == {
        "Subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    assert not changed.resources("AWS::EC2::VPC")


def test_a_new_vpc_has_no_way_out_but_the_gateways_of_s3_and_dynamodb(private: "Assembly") -> None:
    config = private.only("AWS::SageMaker::Model")["VpcConfig"]
    endpoints = private.resources("AWS::EC2::VPCEndpoint").values()
    group = private.only("AWS::EC2::SecurityGroup")
    tables = set(private.resources("AWS::EC2::RouteTable"))

    assert {subnet["Ref"] for subnet in config["Subnets"]} == private.resources("AWS::EC2::Subnet").keys()
    assert len(config["Subnets"]) == 2
    assert sorted(json.dumps(each["ServiceName"]).rpartition(".")[2].split('"')[0] for each in endpoints) == [
        "dynamodb",
        "s3",
    ]
    assert all({table["Ref"] for table in each["RouteTableIds"]} == tables for each in endpoints)
    for kind in ("InternetGateway", "NatGateway", "Route"):
        assert not private.resources(f"AWS::EC2::{kind}")
    assert "SecurityGroupIngress" not in group
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]


def test_only_with_a_vpc_may_network_interfaces_be_made_and_before_the_model(
    aws: "Assembly", private: "Assembly"
) -> None:
    def granted(assembly: "Assembly") -> set[str]:
        return {
            action
            for _, statement in assembly.statements()
            for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
            if action.startswith("ec2:")
        }

    (model,) = [each for each in private.template["Resources"].values() if each["Type"] == "AWS::SageMaker::Model"]

    assert granted(aws) == set()
    assert granted(private) == set(INTERFACE_ACTIONS)
    assert any("JoinNetwork" in name for name in model["DependsOn"])

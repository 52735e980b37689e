"""The network of an endpoint in a VPC: one that is there already, or a new one with no way to the internet."""

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.findings import acknowledge
from infrastructure.logs import add_log_group

INTERFACE_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
"""What SageMaker does with the execution role to put a container into a VPC (its documentation, on execution roles)."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where an endpoint's instances have their network interfaces."""

    subnet_ids: list[str]
    security_group_ids: list[str]


def add_network(
    scope: Construct, *, config: StageConfig, role: iam.IRole, key: kms.IKey | None
) -> tuple[Network, iam.Policy] | None:
    """The stage's network and the right to join it; None when the endpoint is in none of its own."""
    if config.vpc == "new":
        network = _new_network(scope, config=config, key=key)
    elif config.subnet_ids:
        network = Network(subnet_ids=list(config.subnet_ids), security_group_ids=list(config.security_group_ids))
    else:
        return None
    statement = iam.PolicyStatement(actions=list(INTERFACE_ACTIONS), resources=["*"])
    joining = iam.Policy(scope, "JoinNetwork", roles=[role], statements=[statement])
    acknowledge(joining, "IAM5[Resource::*]", "network interfaces are made by SageMaker and have no names before")
    return network, joining


def _new_network(scope: Construct, *, config: StageConfig, key: kms.IKey | None) -> Network:
    """Two private subnets whose only ways out are S3 and DynamoDB; all else SageMaker does from its own network."""
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
        ],
        gateway_endpoints={
            "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
        },
    )
    flow_log = add_log_group(scope, "FlowLog", config=config, key=key)
    vpc.add_flow_log(
        "Flow",
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(flow_log),
        traffic_type=ec2.FlowLogTrafficType.REJECT,
    )
    group = ec2.SecurityGroup(
        scope,
        "InstancesGroup",
        vpc=vpc,
        description="Endpoint instances: https out, nothing in",
        allow_all_outbound=False,
    )
    group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 and DynamoDB by their gateways")
    return Network(
        subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
        security_group_ids=[group.security_group_id],
    )

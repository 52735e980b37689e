"""The network of an endpoint in a VPC: an existing one, or a new one without internet access."""

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infrastructure.config import NEW_NETWORK_ZONES, StageConfig
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
"""What SageMaker needs of the execution role to run a container in a VPC (from its documentation on these roles)."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The subnets and security groups of an endpoint's instances."""

    subnet_ids: list[str]
    security_group_ids: list[str]


def add_network(
    scope: Construct, *, config: StageConfig, role: iam.IRole, key: kms.IKey | None
) -> tuple[Network, iam.Policy] | None:
    """The stage's network and the permission to join it; None if the endpoint has no network of the account's own."""
    if config.vpc == "new":
        network = _new_network(scope, config=config, key=key)
    elif config.subnet_ids:
        network = Network(subnet_ids=list(config.subnet_ids), security_group_ids=list(config.security_group_ids))
    else:
        return None
    statement = iam.PolicyStatement(actions=list(INTERFACE_ACTIONS), resources=["*"])
    joining = iam.Policy(scope, "JoinNetwork", roles=[role], statements=[statement])
    acknowledge(joining, "IAM5[Resource::*]", "SageMaker creates the network interfaces, so their names are unknown")
    return network, joining


def _new_network(scope: Construct, *, config: StageConfig, key: kms.IKey | None) -> Network:
    """Two private subnets that reach only S3 and DynamoDB; SageMaker does everything else from its own network."""
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        max_azs=NEW_NETWORK_ZONES,
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
    group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 and DynamoDB through their gateways")
    return Network(
        subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
        security_group_ids=[group.security_group_id],
    )

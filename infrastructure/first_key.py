"""The first admin key: an encrypted parameter, which a custom resource creates together with the stack."""

from aws_cdk import ArnFormat, CfnCustomResource, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.function_maker import FunctionMaker
from infrastructure.permissions import Grant, TableGrant
from lambdas.settings import FirstKeySettings


def key_parameter(stack_name: str) -> str:
    """Name of the parameter that holds the key; a parameter costs nothing, a secret 0.40 dollars a month."""
    return f"/{stack_name}/admin-key"


def add_first_key(
    scope: Construct, maker: FunctionMaker, *, config: StageConfig, access_table: dynamodb.Table, key: kms.IKey | None
) -> str:
    """The name of the parameter that holds the key."""
    name = key_parameter(config.stack_name)
    arn = Stack.of(scope).format_arn(
        service="ssm",
        resource="parameter",
        resource_name=name.removeprefix("/"),
        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
    )
    function = maker.make(
        "FirstKey",
        handler="lambdas.functions.first_key.handler",
        memory_megabytes=256,
        timeout=Duration.seconds(60),
        settings=FirstKeySettings(
            ACCESS_TABLE=access_table.table_name,
            KEY_PARAMETER=name,
            **({"ENCRYPTION_KEY": key.key_arn} if key else {}),
        ),
        grants=[
            TableGrant(access_table, ["PutItem", "UpdateItem"]),
            Grant(["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"], [arn]),
        ],
    )
    resource = CfnCustomResource(scope, "FirstKey", service_token=function.function_arn, service_timeout=300)
    # Another name is an update to CloudFormation, and so is the first one after 0.2.
    resource.add_property_override("Parameter", name)
    return name

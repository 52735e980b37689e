"""The first admin key: a secret, and the custom resource that creates the key together with the stack."""

from typing import cast

from aws_cdk import CfnCustomResource, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infrastructure.findings import acknowledge
from infrastructure.function_maker import FunctionMaker
from infrastructure.permissions import Grant, TableGrant
from lambdas.settings import FirstKeySettings


def add_first_key(scope: Construct, maker: FunctionMaker, *, access_table: dynamodb.Table, key: kms.IKey | None) -> str:
    """Add both; returns the ARN of the secret that holds the key."""
    secret = secretsmanager.Secret(
        scope, "AdminKey", description="First admin key of the API (header x-api-key).", encryption_key=key
    )
    acknowledge(secret, "SMG4", "an API key that people pass on; it is replaced through the API, not on a schedule")
    # `Id`, not `Ref`: on AWS both are the ARN, but the emulator's `Ref` is the name.
    arn = cast("secretsmanager.CfnSecret", secret.node.default_child).attr_id
    function = maker.make(
        "FirstKey",
        handler="lambdas.functions.first_key.handler",
        memory_megabytes=256,
        timeout=Duration.seconds(60),
        settings=FirstKeySettings(ACCESS_TABLE=access_table.table_name, SECRET_ARN=arn),
        grants=[
            TableGrant(access_table, ["PutItem", "UpdateItem"]),
            Grant(["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"], [arn]),
        ],
    )
    CfnCustomResource(scope, "FirstKey", service_token=function.function_arn, service_timeout=300)
    return arn

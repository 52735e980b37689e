"""The function that maintains endpoints created through the API."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.endpoint_grants import EndpointGrants
from infrastructure.function_maker import FunctionMaker
from infrastructure.permissions import TableGrant
from lambdas.settings import EndpointKeeperSettings


def add_endpoint_keeper(
    scope: Construct,
    maker: FunctionMaker,
    *,
    config: StageConfig,
    table: dynamodb.Table,
    access: dynamodb.Table,
    grants: EndpointGrants,
) -> lambda_.Function:
    """The function, which runs at each of SageMaker's endpoint events and every minute."""
    function = maker.make(
        "EndpointKeeper",
        handler="lambdas.functions.endpoint_keeper.handler",
        memory_megabytes=256,
        timeout=Duration.seconds(55),
        settings=EndpointKeeperSettings(
            ENDPOINTS_TABLE=table.table_name,
            ACCESS_TABLE=access.table_name,
            ENDPOINT_NAME=config.default_endpoint,
            STACK_NAME=config.stack_name,
            MIN_INSTANCES=config.min_instances,
            IDLE_MINUTES=config.idle_minutes,
        ),
        grants=[
            TableGrant(table, ["DeleteItem", "GetItem", "UpdateItem"], ["listed-endpoint"]),
            TableGrant(access, ["BatchGetItem"], keys=["endpoint_load#*"]),
            *grants.keeping,
        ],
    )
    events.Rule(
        scope,
        "EndpointChanges",
        description="Keeps the records of endpoints up to date.",
        event_pattern=events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Endpoint State Change"],
            detail={"EndpointName": events.Match.prefix(config.endpoint_prefix)},
        ),
        targets=[targets.LambdaFunction(function, retry_attempts=2)],
    )
    events.Rule(
        scope,
        "EndpointsEachMinute",
        description="Repairs what an event missed, and continues deletions.",
        schedule=events.Schedule.rate(Duration.minutes(1)),
        targets=[targets.LambdaFunction(function, event=events.RuleTargetInput.from_object({}), retry_attempts=0)],
    )
    return function

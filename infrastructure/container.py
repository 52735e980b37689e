"""The container's permissions; in the core stack, because endpoints created through the API use the same role."""

from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from generate_on_cloud.contract.jobs import WORKER_ATTRIBUTES
from infrastructure.config import StageConfig
from infrastructure.events import Events
from infrastructure.findings import acknowledge
from infrastructure.permissions import BucketGrant, Grant, TableGrant, grant_all
from infrastructure.storage import Storage

_LOGGING: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
"""As in AWS's own policy for execution roles."""


class Container(Construct):
    """The execution role: read assets, write a job's outputs, update jobs, publish their end, log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        storage: Storage,
        events: Events,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        log_groups = f"/aws/sagemaker/Endpoints/{config.endpoint_prefix}*"
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        role, stack = self.role, Stack.of(self)
        log_group = stack.format_arn(
            service="logs", resource="log-group", resource_name=log_groups, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        grant_all(
            role,
            [
                BucketGrant(storage.assets_bucket, {"assets/": ["GetObject"]}),
                BucketGrant(
                    storage.jobs_bucket,
                    {
                        "jobs/": ["GetObject", "PutObject"],
                        "endpoint-output/": ["PutObject"],
                        "endpoint-failure/": ["PutObject"],
                    },
                ),
                TableGrant(storage.jobs_table, ["GetItem", "UpdateItem"], attributes=WORKER_ATTRIBUTES),
                Grant(["sns:Publish"], [events.success.topic_arn, events.error.topic_arn]),
                Grant(_LOGGING, [log_group]),
            ],
            key=key,
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}},
            )
        )
        acknowledge(role, "IAM5[Resource::*]", "PutMetricData supports no resource; it is limited to one namespace")
        acknowledge(
            role,
            f"IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:{log_groups}]",
            "SageMaker names log groups after endpoints, which the API may create later",
        )

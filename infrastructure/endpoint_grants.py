"""The functions' permissions for endpoints: only those whose names begin with the stage's prefix."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.findings import acknowledge
from infrastructure.permissions import Grant


class EndpointGrants:
    """Rows for the API, which creates endpoints, the keeper, which scales and deletes them, and the senders of jobs."""

    def __init__(self, scope: Construct, *, config: StageConfig, container_role: iam.Role) -> None:
        self._stack = Stack.of(scope)
        self._scope = scope
        mine = f"{config.endpoint_prefix}*"
        endpoints, configs, models = (
            self._arn("sagemaker", kind, mine) for kind in ("endpoint", "endpoint-config", "model")
        )
        any_config, any_model = (self._arn("sagemaker", kind, "*") for kind in ("endpoint-config", "model"))
        alarms = self._arn("cloudwatch", "alarm", mine, colon=True)
        logs = self._arn("logs", "log-group", f"/aws/sagemaker/Endpoints/{mine}", colon=True)
        targets = self._arn("application-autoscaling", "scalable-target", "*")
        self.sending_again = Grant(["sagemaker:InvokeEndpointAsync"], [endpoints])
        self.sending = [self.sending_again, Grant(["sagemaker:DescribeEndpoint"], [endpoints])]
        self.making = [
            # CloudFormation chooses the names of the template's own configuration and model, which are only read.
            Grant(["sagemaker:DescribeEndpointConfig"], [any_config]),
            Grant(["sagemaker:DescribeModel"], [any_model]),
            Grant(["sagemaker:AddTags"], [endpoints, configs, models]),
            Grant(["sagemaker:CreateEndpoint"], [endpoints, configs]),
            Grant(["sagemaker:CreateEndpointConfig"], [configs]),
            Grant(["sagemaker:CreateModel"], [models]),
            Grant(
                ["iam:PassRole"],
                [container_role.role_arn],
                {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
        ]
        self.keeping = [
            Grant(
                [
                    "sagemaker:DeleteEndpoint",
                    "sagemaker:DescribeEndpoint",
                    "sagemaker:UpdateEndpointWeightsAndCapacities",
                ],
                [endpoints],
            ),
            Grant(["sagemaker:DeleteEndpointConfig", "sagemaker:DescribeEndpointConfig"], [configs]),
            Grant(["sagemaker:DeleteModel"], [models]),
            Grant(
                [
                    "application-autoscaling:DeregisterScalableTarget",
                    "application-autoscaling:PutScalingPolicy",
                    "application-autoscaling:RegisterScalableTarget",
                ],
                [targets],
                {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
            ),
            Grant(["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"], [alarms]),
            Grant(["logs:DeleteLogGroup"], [logs]),
        ]

    def _arn(self, service: str, resource: str, name: str, *, colon: bool = False) -> str:
        form = ArnFormat.COLON_RESOURCE_NAME if colon else ArnFormat.SLASH_RESOURCE_NAME
        arn = self._stack.format_arn(service=service, resource=resource, resource_name=name, arn_format=form)
        between = ":" if colon else "/"
        shown = f"arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{resource}{between}{name}"
        why = "endpoints created through the API have the stage's prefix; ids of targets and template names are unknown"
        acknowledge(self._scope, f"IAM5[Resource::{shown}]", why)
        return arn

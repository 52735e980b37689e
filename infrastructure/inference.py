"""The inference stack: the template's GPU endpoint, separate from data that must not be lost."""

from typing import Final

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.endpoint import Endpoint
from infrastructure.handover import CoreValues

READ: Final = (
    "assets_bucket",
    "container_role",
    "error_topic_arn",
    "jobs_bucket",
    "jobs_table",
    "key_arn",
    "success_topic_arn",
)
"""The core's values that this stack reads."""


class InferenceStack(Stack):
    """Image, model, endpoint and scaling of one stage; deployed after the core stack, deleted before it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        values: CoreValues,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Generate on Cloud: the GPU endpoint",
            suppress_template_indentation=True,
        )
        self.endpoint = Endpoint(self, "Endpoint", config=config, core=values.read(self, config, *READ))
        CfnOutput(self, "EndpointName", value=self.endpoint.name)

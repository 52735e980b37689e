"""The inference stack: the default GPU endpoint, apart from what must not be lost."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.endpoint import Endpoint
from infrastructure.events import Events
from infrastructure.storage import Storage


class InferenceStack(Stack):
    """Image, model, endpoint and scaling of one stage; deployed after the core, removed before it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        storage: Storage,
        events: Events,
        role: iam.Role,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Generate on Cloud: the GPU endpoint",
            suppress_template_indentation=True,
        )
        self.endpoint = Endpoint(self, "Endpoint", config=config, storage=storage, events=events, role=role, key=key)
        CfnOutput(self, "EndpointName", value=self.endpoint.name)

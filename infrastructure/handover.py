"""What the core passes to the stacks that depend on it: SSM parameters, read when those stacks are deployed.

They replace the exports that CDK would create: CloudFormation neither removes nor changes an export while another stack
imports it, and deploys the core first, so an option that adds one could never be turned off again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from aws_cdk import Fn, Token
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infrastructure.config import StageConfig


@dataclass(frozen=True, kw_only=True)
class CoreValues:
    """Names and ARNs: the core stack's own, or parameters in a stack that reads them."""

    api_stage_arn: str
    assets_bucket: str
    container_role: str
    error_topic_arn: str
    functions: Mapping[str, str]
    """Names in AWS, by the names that people know."""
    jobs_bucket: str
    jobs_table: str
    key_arn: str | None
    """The stage's key; None if it has no key."""
    queues: Mapping[str, str]
    """Names of queues, by the names that people know."""
    log_groups: Mapping[str, str]
    """Names by what people know them by: of functions, and of API Gateway's access log."""
    success_topic_arn: str

    def write(self, core: Construct, config: StageConfig) -> None:
        """Write the values that are only known after deployment to parameters below the stage's name."""
        for name, value in self._known_later():
            place = _place(config, name)
            construct_id = f"Handover{name.title().replace('_', '')}"
            if isinstance(value, str):
                ssm.StringParameter(core, construct_id, parameter_name=place, string_value=value)
            else:
                ssm.StringListParameter(
                    core, construct_id, parameter_name=place, string_list_value=list(value.values())
                )

    def read(self, scope: Construct, config: StageConfig, *names: str) -> Self:
        """These values as the stack of `scope` reads them; it can only use these."""
        found: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in self._known_later():
            if name not in names:
                continue
            place = _place(config, name)
            if isinstance(value, str):
                found[name] = ssm.StringParameter.value_for_string_parameter(scope, place)
            else:
                listed = ssm.StringListParameter.value_for_typed_list_parameter(scope, place)
                found[name] = {each: Fn.select(index, listed) for index, each in enumerate(value)}
        return type(self)(**found)

    def _known_later(self) -> Iterator[tuple[str, str | Mapping[str, str]]]:
        """All values except missing ones and names that we chose ourselves."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Mapping) or Token.is_unresolved(value):
                yield each.name, value


def _place(config: StageConfig, name: str) -> str:
    return f"/{config.stack_name}/core/{name}"

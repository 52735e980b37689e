"""What becomes of tables, buckets and their key when the stack goes."""

from aws_cdk import RemovalPolicy

from infrastructure.config import StageConfig


def removal_policy(config: StageConfig) -> RemovalPolicy:
    """They stay where the stage keeps its data; but a first deployment that rolls back leaves nothing."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if config.keep_data else RemovalPolicy.DESTROY

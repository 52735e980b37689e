"""Log groups with the stage's retention."""

from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.config import LogDays, StageConfig

_RETENTION: Final[dict[LogDays, logs.RetentionDays]] = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def add_log_group(
    scope: Construct, name: str, *, config: StageConfig, key: kms.IKey | None, called: str | None = None
) -> logs.LogGroup:
    """A log group that is deleted with the stack: logs are not users' data, and they cost money.

    Args:
        called: its name on AWS, if a service demands one; None: CloudFormation chooses one.
    """
    return logs.LogGroup(
        scope,
        name,
        log_group_name=called,
        retention=_RETENTION[config.log_retention_days],
        removal_policy=RemovalPolicy.DESTROY,
        encryption_key=key,
    )

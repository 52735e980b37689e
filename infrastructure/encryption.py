"""The key that encrypts a stage's data: a new one, an existing one, or none, which leaves it to AWS's keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.data_retention import removal_policy

_PASSING_ON: Final = ("kms:Decrypt", "kms:GenerateDataKey*")
_LOGS: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


@dataclass(frozen=True, kw_only=True)
class ServiceUse:
    """What the key's policy lets an AWS service do on its own; everything else needs a role's permission."""

    principal: str
    actions: Sequence[str]
    conditions: Mapping[str, Mapping[str, str]]


def service_uses(stack: Stack, config: StageConfig) -> list[ServiceUse]:
    """Rows of the key policy: a new key gets them as its policy, an existing one must have them (docs/security.md)."""
    mine = {"StringEquals": {"aws:SourceAccount": stack.account}}
    groups = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"
    # A principal that a partition does not know invalidates the whole policy, and not every partition has budgets.
    alarming = ["cloudwatch", "budgets"] if config.monthly_budget_usd is not None else ["cloudwatch"]
    return [
        # SNS writes to the queue; alarms and budgets publish to the topic.
        *(
            ServiceUse(principal=f"{service}.amazonaws.com", actions=_PASSING_ON, conditions=mine)
            for service in ("sns", *alarming)
        ),
        # "Not supported for EventBridge-to-encrypted topics", says SNS's developer guide of both source conditions.
        ServiceUse(principal="events.amazonaws.com", actions=_PASSING_ON, conditions={}),
        ServiceUse(
            principal=f"logs.{stack.region}.{stack.url_suffix}",
            actions=_LOGS,
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
    ]


def add_key(scope: Construct, *, config: StageConfig) -> kms.IKey | None:
    """The stage's key; None if AWS's keys are used.

    It is always passed on as an imported key: CDK then leaves its policy alone, so `service_uses` is all of it
    (CDK's own statement would let SNS use it for the topics of any account).
    """
    if config.kms_key is None:
        return None
    if config.kms_key != "new":
        return kms.Key.from_key_arn(scope, "Key", config.kms_key)
    key = kms.Key(
        scope,
        "NewKey",
        description=f"Data of {config.stack_name}",
        enable_key_rotation=True,
        pending_window=Duration.days(7),
        # Without the key, data that is kept would be unreadable.
        removal_policy=removal_policy(config),
    )
    for use in service_uses(Stack.of(scope), config):
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=list(use.actions),
                resources=["*"],
                principals=[iam.ServicePrincipal(use.principal)],
                conditions=use.conditions,
            )
        )
    return kms.Key.from_key_arn(scope, "Key", key.key_arn)


_NOTHING: Final = ()
_READING: Final = ("kms:Decrypt",)
_WRITING: Final = ("kms:Decrypt", "kms:GenerateDataKey")
_TABLE_READING: Final = ("kms:Decrypt", "kms:DescribeKey")
_TABLE_WRITING: Final = (*_TABLE_READING, "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")
ENCRYPTED: Final = frozenset({"dynamodb", "s3", "sns", "sqs", "ssm"})
KEY_USES: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamodb:BatchGetItem": _TABLE_READING,
    "dynamodb:ConditionCheckItem": _TABLE_READING,
    "dynamodb:DeleteItem": _TABLE_WRITING,
    "dynamodb:GetItem": _TABLE_READING,
    "dynamodb:PutItem": _TABLE_WRITING,
    "dynamodb:Query": _TABLE_READING,
    "dynamodb:UpdateItem": _TABLE_WRITING,
    "s3:AbortMultipartUpload": _NOTHING,
    "s3:DeleteObject": _NOTHING,
    "s3:GetObject": _READING,
    "s3:ListBucket": _NOTHING,
    "s3:ListMultipartUploadParts": _READING,
    # The parts of an upload are read when they are joined.
    "s3:PutObject": _WRITING,
    "sns:Publish": _WRITING,
    "sqs:ChangeMessageVisibility": _NOTHING,
    "sqs:GetQueueAttributes": _NOTHING,
    "sqs:SendMessage": _WRITING,
    "ssm:DeleteParameter": _NOTHING,
    "ssm:GetParameter": _READING,
    "ssm:PutParameter": ("kms:Encrypt",),
}
"""What an action on encrypted data requires of its caller (from each service's guide; for tables from CDK's grants).

Reading a queue is missing here: CDK grants it with the event source.
"""


def allow_key(role: iam.Role, actions: Sequence[str], *, key: kms.IKey) -> None:
    """Let a role use the key as these actions require, only through the service of each.

    Raises:
        KeyError: an action of an encrypted service is not in the table.
    """
    services_by_use: dict[str, set[str]] = {}
    for service, action in ((action.partition(":")[0], action) for action in actions):
        for use in KEY_USES[action] if service in ENCRYPTED else _NOTHING:
            services_by_use.setdefault(use, set()).add(service)
    for use, services in sorted(services_by_use.items()):
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[use],
                resources=[key.key_arn],
                # The domain after the region is the partition's.
                conditions={"StringLike": {"kms:ViaService": [f"{name}.{Aws.REGION}.*" for name in sorted(services)]}},
            )
        )

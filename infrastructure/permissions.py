"""Each program's permissions as rows: actions on named resources, with no wildcard except in an object's key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from infrastructure.encryption import allow_key
from infrastructure.findings import acknowledge

Conditions = Mapping[str, Mapping[str, str | list[str]]]
"""Operator -> condition key -> allowed values."""


@dataclass(frozen=True)
class TableGrant:
    """DynamoDB actions (without `dynamodb:`) on a table, and the indexes that may be queried."""

    table: dynamodb.Table
    actions: Sequence[str]
    indexes: Sequence[str] = ()
    keys: Sequence[str] = ()
    """Patterns of the rows' keys, `*` for any characters; empty: all rows."""
    attributes: Sequence[str] = ()
    """All attributes that a request may name, also in conditions; empty: any."""

    @property
    def conditions(self) -> Conditions | None:
        """Conditions of the actions on rows; indexes are queried without them."""
        found: dict[str, dict[str, str | list[str]]] = {}
        if self.keys:
            found["ForAllValues:StringLike"] = {"dynamodb:LeadingKeys": list(self.keys)}
        if self.attributes:
            found["ForAllValues:StringEquals"] = {"dynamodb:Attributes": list(self.attributes)}
            # Without these a request that names no attribute would be answered with all of them.
            found["StringEqualsIfExists"] = {
                "dynamodb:ReturnValues": ["NONE", "UPDATED_NEW", "UPDATED_OLD"],
                "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
            }
        return found or None

    @property
    def full_actions(self) -> list[str]:
        return [f"dynamodb:{action}" for action in (*self.actions, *(["Query"] if self.indexes else []))]


@dataclass(frozen=True)
class BucketGrant:
    """S3 object actions (without `s3:`) by key prefix."""

    bucket: s3.Bucket
    prefixes: Mapping[str, Sequence[str]]
    list_objects: bool = True
    """Without it, S3 answers 403 instead of 404 for a missing object."""

    @property
    def full_actions(self) -> list[str]:
        return [f"s3:{action}" for actions in self.prefixes.values() for action in actions]


@dataclass(frozen=True)
class Grant:
    """Any other action on resources whose ARNs are known."""

    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Conditions | None = None

    @property
    def full_actions(self) -> list[str]:
        return list(self.actions)


def grant_all(
    role: iam.Role, grants: Sequence[TableGrant | BucketGrant | Grant], *, key: kms.IKey | None = None
) -> None:
    """Give a role the rows' permissions, one statement per kind, and the use of the key that they require."""
    if key is not None:
        allow_key(role, [action for grant in grants for action in grant.full_actions], key=key)
    for grant in grants:
        match grant:
            case TableGrant(table=table, actions=actions, indexes=indexes, conditions=conditions):
                _allow(role, [f"dynamodb:{action}" for action in actions], [table.table_arn], conditions)
                if indexes:
                    _allow(role, ["dynamodb:Query"], [f"{table.table_arn}/index/{index}" for index in indexes])
            case BucketGrant(bucket=bucket, prefixes=prefixes, list_objects=list_objects):
                for prefix, actions in prefixes.items():
                    _allow(role, [f"s3:{action}" for action in actions], [bucket.arn_for_objects(f"{prefix}*")])
                    _acknowledge_keys(role, bucket=bucket, prefix=prefix)
                if list_objects:
                    _allow(role, ["s3:ListBucket"], [bucket.bucket_arn])
            case Grant(actions=actions, resources=resources, conditions=conditions):
                _allow(role, actions, resources, conditions)


def _allow(
    role: iam.Role,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: Conditions | None = None,
) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions))


def _acknowledge_keys(role: iam.Role, *, bucket: s3.Bucket, prefix: str) -> None:
    logical_id = role.stack.get_logical_id(cast("s3.CfnBucket", bucket.node.default_child))
    acknowledge(
        role, f"IAM5[Resource::<{logical_id}.Arn>/{prefix}*]", "object keys contain ids that are not known in advance"
    )

"""Writes to DynamoDB that all happen or none; a refused transaction names the conditions that did not hold.

Every condition has a name, so that what a refusal means does not depend on the order or the number of the actions.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.errors import TRANSACTION_CANCELED, error_code
from lambdas.aws.items import to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONFLICT_TRIES = 8
_CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True)
class Condition:
    """What a row must be like for the transaction to happen."""

    name: str
    """What callers compare refusals with."""
    expression: str
    """DynamoDB's condition expression."""


@dataclass(frozen=True)
class Action:
    """One write or check of a transaction."""

    request: Mapping[str, Mapping[str, Any]]
    """A `TransactWriteItem`."""
    condition: str = ""
    """Name of its condition, if it has one."""

    def __post_init__(self) -> None:
        if any("ConditionExpression" in parts for parts in self.request.values()) and not self.condition:
            raise ValueError(f"a condition without a name: {self.request}")


def put_new(table: str, row: Mapping[str, object], *, key: str, condition: str) -> Action:
    """Add a row whose `key` must not exist yet; `condition` is the name of that demand."""
    put = {"TableName": table, "Item": to_item(row), "ConditionExpression": f"attribute_not_exists({key})"}
    return Action({"Put": put}, condition)


def update(
    table: str,
    key: Mapping[str, object],
    expression: str,
    values: Mapping[str, object],
    *,
    condition: Condition | None = None,
    names: Sequence[str] = (),
) -> Action:
    """Change a row; `#name` in the expressions stands for each of `names`."""
    parts = _parts(table, key, values, condition=condition, names=names)
    return Action({"Update": parts | {"UpdateExpression": expression}}, condition.name if condition else "")


def delete(
    table: str,
    key: Mapping[str, object],
    values: Mapping[str, object] | None = None,
    *,
    condition: Condition | None = None,
    names: Sequence[str] = (),
) -> Action:
    """Remove a row, which need not exist unless the condition says so."""
    parts = _parts(table, key, values or {}, condition=condition, names=names)
    return Action({"Delete": parts}, condition.name if condition else "")


def check(
    table: str,
    key: Mapping[str, object],
    values: Mapping[str, object],
    *,
    condition: Condition,
    names: Sequence[str] = (),
) -> Action:
    """Demand something of a row that the transaction does not change."""
    return Action({"ConditionCheck": _parts(table, key, values, condition=condition, names=names)}, condition.name)


def _parts(
    table: str,
    key: Mapping[str, object],
    values: Mapping[str, object],
    *,
    condition: Condition | None,
    names: Sequence[str],
) -> dict[str, Any]:
    parts: dict[str, Any] = {"TableName": table, "Key": to_item(key)}
    if condition is not None:
        parts["ConditionExpression"] = condition.expression
    if values:
        parts["ExpressionAttributeValues"] = to_item(values)
    if names:
        parts["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    return parts


def transact(
    client: "DynamoDBClient",
    actions: Sequence[Action],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> frozenset[str]:
    """Do all of the actions or none; empty when done, else the names of the conditions that did not hold.

    Raises:
        ClientError: AWS failed, or others kept changing the same rows for CONFLICT_TRIES tries.
    """
    requests: Any = [action.request for action in actions]
    for attempt in range(CONFLICT_TRIES):
        try:
            client.transact_write_items(TransactItems=requests)
        except ClientError as error:
            if error_code(error) != TRANSACTION_CANCELED:
                raise
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            reasons = zip(actions, codes, strict=False)  # AWS gives one for each action, or none at all
            refused = frozenset(action.condition for action, code in reasons if code == "ConditionalCheckFailed")
            if refused:
                return refused
            if attempt == CONFLICT_TRIES - 1 or not _CONFLICTS.intersection(codes):
                raise
            sleep(random.uniform(0, 0.02 * 2**attempt))
        else:
            return frozenset()
    raise AssertionError("unreachable")

"""Rows of DynamoDB's tables: typed values, ids and times; many read at once; several written, or none of them.

Every condition of a transaction has a name, so that what a refusal means does not depend on the order or the number of
the actions.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import uuid_utils
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from lambdas.aws.errors import TRANSACTION_CANCELED, error_code

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

BATCH = 100
"""Rows one BatchGetItem may ask for."""
CONFLICT_TRIES = 8
_CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()
_HEX_GROUPS = (8, 4, 4, 4, 12)


def to_item(values: Mapping[str, object]) -> "dict[str, AttributeValueTypeDef]":
    """Attributes of a row; None means the attribute is absent."""
    return {name: _SERIALIZER.serialize(value) for name, value in values.items() if value is not None}


def from_item(item: "Mapping[str, Any]") -> dict[str, Any]:
    """Plain values of a row; numbers are `Decimal`."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def new_id() -> str:
    """A UUIDv7: sorts by the time it was made."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Whether `text` has the form of our ids; anything else cannot be the key of a row."""
    groups = text.split("-")
    return tuple(map(len, groups)) == _HEX_GROUPS and all(set(group) <= set("0123456789abcdef") for group in groups)


def timestamp(moment: datetime) -> str:
    """ISO 8601 UTC with microseconds and `Z`: sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def utc_now() -> datetime:
    return datetime.now(UTC)


Keys = Mapping[str, Sequence[Mapping[str, str]]]
"""Keys of rows, by table."""


def read_rows(client: "DynamoDBClient", keys: Keys, *, consistent: bool = False) -> dict[str, list[dict[str, Any]]]:
    """The rows with these keys by table, in no order; one call for each BATCH of them.

    Keys without a row are left out. No two keys of a table may be equal.
    """
    waiting = [(table, to_item(key)) for table, of_table in keys.items() for key in of_table]
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in keys}
    for start in range(0, len(waiting), BATCH):
        asked: Any = {}
        for table, key in waiting[start : start + BATCH]:
            asked.setdefault(table, {"Keys": [], "ConsistentRead": consistent})["Keys"].append(key)
        while asked:
            answer = client.batch_get_item(RequestItems=asked)
            for table, found in answer["Responses"].items():
                rows[table] += [from_item(item) for item in found]
            asked = answer.get("UnprocessedKeys")
    return rows


@dataclass(frozen=True)
class Condition:
    """What a row must be like for the transaction to happen."""

    name: str
    """What callers compare refusals with."""
    expression: str
    """DynamoDB's condition expression."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One write or check of a transaction, in plain values; `#name` in its expressions stands for each of `names`."""

    kind: ClassVar[str]
    """DynamoDB's word for it."""
    table: str
    key: Mapping[str, object]
    values: Mapping[str, object] = field(default_factory=dict)
    condition: Condition | None = None
    names: Sequence[str] = ()

    @property
    def demand(self) -> str:
        """Name of what it demands of the row, if anything."""
        return self.condition.name if self.condition else ""

    def request(self) -> dict[str, Any]:
        """What DynamoDB takes of it."""
        parts: dict[str, Any] = {"TableName": self.table, "Key": to_item(self.key)}
        if self.condition is not None:
            parts["ConditionExpression"] = self.condition.expression
        if self.values:
            parts["ExpressionAttributeValues"] = to_item(self.values)
        if self.names:
            parts["ExpressionAttributeNames"] = {f"#{name}": name for name in self.names}
        return parts


@dataclass(frozen=True, kw_only=True)
class Update(Action):
    """Change a row, or make it."""

    kind = "Update"
    expression: str

    def request(self) -> dict[str, Any]:
        return super().request() | {"UpdateExpression": self.expression}


class Delete(Action):
    """Remove a row, which need not exist unless the condition says so."""

    kind = "Delete"


class Check(Action):
    """Demand something of a row that the transaction does not change."""

    kind = "ConditionCheck"


@dataclass(frozen=True, kw_only=True)
class PutNew(Action):
    """Add a row whose key must not exist yet."""

    kind = "Put"
    row: Mapping[str, object]
    """The key may be among it."""
    absent: str
    """Name of the demand that there is no such row."""

    @property
    def demand(self) -> str:
        return self.absent

    def request(self) -> dict[str, Any]:
        condition = " AND ".join(f"attribute_not_exists({name})" for name in self.key)
        return {"TableName": self.table, "Item": to_item({**self.row, **self.key}), "ConditionExpression": condition}


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
    requests: Any = [{action.kind: action.request()} for action in actions]
    for attempt in range(CONFLICT_TRIES):
        try:
            client.transact_write_items(TransactItems=requests)
        except ClientError as error:
            if error_code(error) != TRANSACTION_CANCELED:
                raise
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            reasons = zip(actions, codes, strict=False)  # AWS gives one for each action, or none at all
            refused = frozenset(action.demand for action, code in reasons if code == "ConditionalCheckFailed")
            if refused:
                return refused
            if attempt == CONFLICT_TRIES - 1 or not _CONFLICTS.intersection(codes):
                raise
            sleep(random.uniform(0, 0.02 * 2**attempt))
        else:
            return frozenset()
    raise AssertionError("unreachable")

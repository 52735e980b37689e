"""Rows of DynamoDB's tables: typed values, ids and times; batch reads; transactions.

A record is a dataclass whose fields are attributes of its row by name; how each is stored follows from its type.

Every condition of a transaction has a name, so that the meaning of a refusal does not depend on the order or number of
actions.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args, get_origin

import uuid_utils
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from pydantic import BaseModel

from lambdas.aws.errors import TRANSACTION_CANCELED, error_code

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

BATCH = 100
"""Maximum number of rows per BatchGetItem."""
CONFLICT_TRIES = 8
_CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()
_HEX_GROUPS = (8, 4, 4, 4, 12)

Record = TypeVar("Record", bound="DataclassInstance")


def to_item(values: Mapping[str, object]) -> "dict[str, AttributeValueTypeDef]":
    """Attributes of a row; None means the attribute is absent.

    Times become `timestamp`s, members of enums become their values, models and dataclasses become maps.
    """
    return {name: _SERIALIZER.serialize(_stored(value)) for name, value in values.items() if value is not None}


def _stored(value: object) -> object:
    """The value in DynamoDB's types."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    match value:
        case datetime():
            return timestamp(value)
        case Enum():
            return value.value
        case Mapping():
            return {name: _stored(part) for name, part in value.items()}
        case list() | tuple():
            return [_stored(part) for part in value]
    return value


def from_item(item: "Mapping[str, Any]") -> dict[str, Any]:
    """A row's plain values; numbers are `Decimal`."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def attributes(record: "DataclassInstance") -> dict[str, object]:
    """The attributes of a record's new row: every field that differs from its default."""
    values = {each: getattr(record, each.name) for each in fields(record)}
    return {each.name: value for each, value in values.items() if value != _default(each)}


def _default(of: Field[Any]) -> object:
    return of.default if of.default_factory is MISSING else of.default_factory()


def read_record(record: type[Record], row: Mapping[str, Any]) -> Record:
    """A row's attributes as a dataclass; fields that the row lacks have their default.

    Raises:
        TypeError: the row lacks an attribute that has no default, or rows cannot hold a field's type.
        ValueError: an attribute is not of its field's type.
    """
    readers = _readers(record)
    return record(**{name: read(row[name]) for name, read in readers.items() if name in row})


@cache
def _readers(record: type[Any]) -> dict[str, Callable[[Any], Any]]:
    return {each.name: _reader(each.type) for each in fields(record)}


def _reader(kind: Any) -> Callable[[Any], Any]:
    """The inverse of `_stored` for this type."""
    of_what = [part for part in get_args(kind) if part not in (NoneType, Ellipsis)]
    kind = get_origin(kind) or kind
    if kind in (UnionType, tuple) and len(of_what) == 1:
        read = _reader(of_what[0])
        return read if kind is UnionType else lambda values: tuple(map(read, values))
    if kind in _READERS:
        return _READERS[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if isinstance(kind, type) and is_dataclass(kind):
        return partial(read_record, kind)
    allowed = ", ".join(each.__name__ for each in (*_READERS, Enum, BaseModel))
    raise TypeError(f"received a field of type {kind}; allowed: {allowed}, dataclass, tuple of one of them, or None")


_READERS: Mapping[Any, Callable[[Any], Any]] = {
    bool: bool, int: int, str: str, Decimal: Decimal, datetime: datetime.fromisoformat, Mapping: dict,
}  # fmt: skip


def new_id() -> str:
    """A UUIDv7: sorts by creation time."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Whether `text` has the form of our ids; nothing else can be a row's key."""
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
    """The rows with these keys by table, in no particular order; one call per BATCH of them.

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
    """What must be true of a row for the transaction to happen."""

    name: str
    """The name by which callers recognise a refusal."""
    expression: str
    """DynamoDB's condition expression."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One write or check of a transaction, in plain values; `#name` in its expressions refers to each of `names`."""

    kind: ClassVar[str]
    """DynamoDB's name for it."""
    table: str
    key: Mapping[str, object]
    values: Mapping[str, object] = field(default_factory=dict)
    condition: Condition | None = None
    names: Sequence[str] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Attributes whose names are not fixed: `#alias` in the expressions → the name."""

    @property
    def demand(self) -> str:
        """Name of its condition, if it has one."""
        return self.condition.name if self.condition else ""

    def request(self) -> dict[str, Any]:
        """The action in DynamoDB's format."""
        parts: dict[str, Any] = {"TableName": self.table, "Key": to_item(self.key)}
        if self.condition is not None:
            parts["ConditionExpression"] = self.condition.expression
        if self.values:
            parts["ExpressionAttributeValues"] = to_item(self.values)
        if self.names or self.aliases:
            aliases = {f"#{alias}": name for alias, name in self.aliases.items()}
            parts["ExpressionAttributeNames"] = {f"#{name}": name for name in self.names} | aliases
        return parts


@dataclass(frozen=True, kw_only=True)
class Update(Action):
    """Change a row, or create it."""

    kind = "Update"
    expression: str

    def request(self) -> dict[str, Any]:
        return super().request() | {"UpdateExpression": self.expression}


class Delete(Action):
    """Delete a row; it need not exist unless the condition says so."""

    kind = "Delete"


class Check(Action):
    """Check a row that the transaction does not change."""

    kind = "ConditionCheck"


@dataclass(frozen=True, kw_only=True)
class PutNew(Action):
    """Add a row whose key must not exist yet."""

    kind = "Put"
    row: Mapping[str, object]
    """May include the key."""
    absent: str
    """Name of the condition that the row does not exist."""

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
    """Do all of the actions or none; returns the names of the conditions that failed, empty if it was done.

    Raises:
        ClientError: AWS failed, or other requests kept changing the same rows for CONFLICT_TRIES tries.
    """
    requests: Any = [{action.kind: action.request()} for action in actions]
    for attempt in range(CONFLICT_TRIES):
        try:
            client.transact_write_items(TransactItems=requests)
        except ClientError as error:
            if error_code(error) != TRANSACTION_CANCELED:
                raise
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            reasons = zip(actions, codes, strict=False)  # AWS gives one per action, or none at all
            refused = frozenset(action.demand for action, code in reasons if code == "ConditionalCheckFailed")
            if refused:
                return refused
            if attempt == CONFLICT_TRIES - 1 or not _CONFLICTS.intersection(codes):
                raise
            sleep(random.uniform(0, 0.02 * 2**attempt))
        else:
            return frozenset()
    raise AssertionError("unreachable")

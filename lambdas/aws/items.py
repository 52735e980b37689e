"""DynamoDB's typed attribute values and back, and the times and ids rows hold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import uuid_utils
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

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

"""Many rows of a table by their keys, in as few calls as DynamoDB allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambdas.aws.items import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 100
"""Rows one BatchGetItem may ask for."""


@dataclass
class SideRead:
    """Rows of another table that go along with the next batch that is read anyway, or alone when none was."""

    client: "DynamoDBClient"
    table: str
    keys: Sequence[Mapping[str, str]]
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _is_read: bool = False

    def rows(self) -> list[dict[str, Any]]:
        """Those that are there, in no order; no call when they have been read."""
        if not self._is_read:
            self.keep(batch_get(self.client, self.table, self.keys, consistent=True))
        return self._rows

    def keep(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows, self._is_read = list(rows), True

    def fits(self, beside: int, *, table: str) -> bool:
        """Whether it may go along with so many keys of another table."""
        return not self._is_read and self.table != table and beside + len(self.keys) <= BATCH


def batch_get(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[Mapping[str, str]],
    *,
    consistent: bool = False,
    side: SideRead | None = None,
) -> list[dict[str, Any]]:
    """The rows with these keys, in no order; keys without a row are left out. No two keys may be equal.

    `side` is read in the same call if there is room for it.
    """
    rows = []
    for start in range(0, len(keys), BATCH):
        chunk = keys[start : start + BATCH]
        asked: Any = {table: {"Keys": [to_item(key) for key in chunk], "ConsistentRead": consistent}}
        along = side if side is not None and side.fits(len(chunk), table=table) else None
        found_beside = []
        if along is not None:
            asked[along.table] = {"Keys": [to_item(key) for key in along.keys], "ConsistentRead": True}
        while asked:
            answer = client.batch_get_item(RequestItems=asked)
            rows += [from_item(item) for item in answer["Responses"].get(table, [])]
            if along is not None:
                found_beside += [from_item(item) for item in answer["Responses"].get(along.table, [])]
            asked = answer.get("UnprocessedKeys")
        if along is not None:
            along.keep(found_beside)
    return rows

"""The access table: users, roles, keys and usage; read by key, listed by one index, changed in transactions.

user#NAME · role#NAME · key#SHA256 · usage#USER#DAY · load#USER        `access_id`
rate#SHA256#MINUTE · wait#NUMBER · lasting#admin                      `access_id`; `caller.py`, `wait_slots.py`,
                                                                    `lasting_keys.py`
inputs#USER#DAY                                                     `access_id`; `input_bytes.py`
name#user#NAME · name#role#NAME                                     names in lower case that are taken
listing-place                                                       `users`, `roles`, `usage#MONTH` in their order
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import Action, Check, Condition, PutNew, from_item, read_rows, to_item, transact
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "listing-place"


@dataclass(frozen=True)
class AccessTable:
    client: "DynamoDBClient"
    table: str

    def get(self, access_id: str) -> dict[str, Any] | None:
        key = to_item({"access_id": access_id})
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else from_item(item)

    def rows(self, access_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of these rows that exist, in this order; one call per hundred."""
        keys = [{"access_id": access_id} for access_id in access_ids]
        rows = read_rows(self.client, {self.table: keys}, consistent=True)[self.table]
        found = {str(row["access_id"]): row for row in rows}
        return [found[access_id] for access_id in access_ids if access_id in found]

    def page(
        self, listing: str, *, limit: int, cursor: str | None, signer: CursorSigner
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Up to `limit` rows of a listing in its order, and the cursor of the next page; one call.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        start: Any = {}
        if cursor is not None:
            place, access_id = signer.read(cursor, scope=listing, parts=2)
            key = {"listing": listing, "place": place, "access_id": access_id}
            start = {"ExclusiveStartKey": to_item(key)}
        answer = self.client.query(
            TableName=self.table,
            IndexName=INDEX,
            KeyConditionExpression="listing = :listing",
            ExpressionAttributeValues=to_item({":listing": listing}),
            Limit=limit + 1,
            **start,
        )
        rows = [from_item(item) for item in answer["Items"]]
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], signer.sign([last["place"], last["access_id"]], scope=listing)

    def listed(self, listing: str) -> Iterator[dict[str, Any]]:
        """All rows of a listing in its order; one call per one or two thousand. The latest changes may be missing."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=INDEX,
            KeyConditionExpression="listing = :listing",
            ExpressionAttributeValues=to_item({":listing": listing}),
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def taking_name(self, kind: str, name: str, lower_row: str, *, absent: str) -> list[Action]:
        """Further actions of a transaction that adds a user or role: nobody else has the name, in whatever letter case.

        `lower_row` is the row that an older one of this name in lower case has.
        """
        guard = {"access_id": f"name#{kind}#{name.lower()}"}
        actions: list[Action] = [PutNew(table=self.table, key=guard, row={"refers_to": name}, absent=absent)]
        if name != name.lower():
            there = Condition(absent, "attribute_not_exists(access_id)")
            actions.append(Check(table=self.table, key={"access_id": lower_row}, condition=there))
        return actions

    def write(self, actions: Sequence[Action]) -> frozenset[str]:
        """Run `transact` with this table's client."""
        return transact(self.client, actions)


def overtaken() -> ProblemError:
    """Other requests kept changing the same user or role."""
    return ProblemError(
        ProblemCode.TOO_MANY_REQUESTS, "Other requests are changing the same user or role.", retry_after=1
    )

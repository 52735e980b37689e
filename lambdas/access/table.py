"""The access table: users, roles, keys and usage; read by key, listed by one index, changed in transactions.

user#NAME · role#NAME · key#SHA256 · usage#USER#DAY · load#USER        `access_id`
listing-place                                                       `users`, `roles`, `usage#MONTH` in their order
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.errors import TRANSACTION_CANCELED, error_code
from lambdas.aws.items import from_item, to_item
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "listing-place"
CONFLICT_TRIES = 8
_CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


def put_new(table: str, row: Mapping[str, object], *, key: str = "access_id") -> dict[str, Any]:
    """Add a row that must not be there yet."""
    return {"Put": {"TableName": table, "Item": to_item(row), "ConditionExpression": f"attribute_not_exists({key})"}}


def update(
    table: str,
    key: Mapping[str, object],
    expression: str,
    values: Mapping[str, object],
    *,
    condition: str | None = None,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Change a row; `#name` in the expressions stands for each of `names`."""
    action: dict[str, Any] = {"TableName": table, "Key": to_item(key), "UpdateExpression": expression}
    if condition:
        action["ConditionExpression"] = condition
    if values:
        action["ExpressionAttributeValues"] = to_item(values)
    if names:
        action["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    return {"Update": action}


def transact(
    client: "DynamoDBClient",
    actions: Sequence[Mapping[str, Any]],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, ...]:
    """All of the actions or none; empty when done, else which of them their conditions forbade.

    Raises:
        ClientError: AWS failed, or others kept changing the same rows for CONFLICT_TRIES tries.
    """
    for attempt in range(CONFLICT_TRIES):
        try:
            client.transact_write_items(TransactItems=list(actions))  # type: ignore[arg-type]
        except ClientError as error:
            if error_code(error) != TRANSACTION_CANCELED:
                raise
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            forbidden = tuple(index for index, code in enumerate(codes) if code == "ConditionalCheckFailed")
            if forbidden:
                return forbidden
            if attempt == CONFLICT_TRIES - 1 or not _CONFLICTS.intersection(codes):
                raise
            sleep(random.uniform(0, 0.02 * 2**attempt))
        else:
            return ()
    raise AssertionError("unreachable")


@dataclass(frozen=True)
class AccessTable:
    client: "DynamoDBClient"
    table: str

    def get(self, access_id: str) -> dict[str, Any] | None:
        key = to_item({"access_id": access_id})
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else from_item(item)

    def rows(self, access_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of these rows that are there, in this order; one call for each hundred."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(access_ids), 100):
            keys = [to_item({"access_id": access_id}) for access_id in access_ids[start : start + 100]]
            asked: Any = {self.table: {"Keys": keys, "ConsistentRead": True}}
            while asked:
                answer = self.client.batch_get_item(RequestItems=asked)
                rows = map(from_item, answer["Responses"].get(self.table, []))
                found |= {row["access_id"]: row for row in rows}
                asked = answer.get("UnprocessedKeys")
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

    def write(self, actions: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
        """`transact` on this table's client."""
        return transact(self.client, actions)

    def put_new(self, row: Mapping[str, object]) -> dict[str, Any]:
        return put_new(self.table, row)

    def update(
        self,
        access_id: str,
        expression: str,
        values: Mapping[str, object],
        *,
        condition: str | None = None,
        names: Sequence[str] = (),
    ) -> dict[str, Any]:
        return update(self.table, {"access_id": access_id}, expression, values, condition=condition, names=names)

    def delete(
        self, access_id: str, *, condition: str | None = None, values: Mapping[str, object] | None = None
    ) -> Any:
        action: dict[str, Any] = {"TableName": self.table, "Key": to_item({"access_id": access_id})}
        if condition:
            action["ConditionExpression"] = condition
        if values:
            action["ExpressionAttributeValues"] = to_item(values)
        return {"Delete": action}


def overtaken() -> ProblemError:
    """Others kept changing the same user or role."""
    return ProblemError(ProblemCode.TOO_MANY_REQUESTS, "It is being changed by other requests.", retry_after=1)

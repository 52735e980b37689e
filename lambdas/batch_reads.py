"""Many rows of a table by their keys, in as few calls as DynamoDB allows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambdas.items import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 100
"""Rows one BatchGetItem may ask for."""


def batch_get(
    client: "DynamoDBClient", table: str, keys: Sequence[Mapping[str, str]], *, consistent: bool = False
) -> list[dict[str, Any]]:
    """The rows with these keys, in no order; keys without a row are left out. No two keys may be equal."""
    rows = []
    for start in range(0, len(keys), BATCH):
        request: Any = {"Keys": [to_item(key) for key in keys[start : start + BATCH]], "ConsistentRead": consistent}
        asked: Any = {table: request}
        while asked:
            answer = client.batch_get_item(RequestItems=asked)
            rows += [from_item(item) for item in answer["Responses"].get(table, [])]
            asked = answer.get("UnprocessedKeys")
    return rows

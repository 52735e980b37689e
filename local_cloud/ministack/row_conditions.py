"""The rows and attributes of a DynamoDB request, as policies name them: `dynamodb:LeadingKeys`, `dynamodb:Attributes`.

ministack only knows the attributes of a projection. AWS's guide on fine-grained access says which a request names:
those in its key and in every expression, by their first part. A transaction is checked item by item.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

KEYS = "dynamodb:LeadingKeys"
ATTRIBUTES = "dynamodb:Attributes"
RETURNED = "dynamodb:ReturnValues"
SELECTED = "dynamodb:Select"
ITEMS = "items of the transaction"
"""Not an IAM key: carries each item's own keys to where it is checked."""
_EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "ProjectionExpression")
_ACTIONS = {"Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}
_WORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"})
# A name or its placeholder; not a value, a function, or a later part of a path.
_NAME = re.compile(r"(?<![\w:.#])#?[A-Za-z_]\w*(?!\w|\s*\()")


def with_rows(find: Callable[[bytes], dict[str, Any]]) -> Callable[[bytes], dict[str, Any]]:
    """`find`, ministack's condition keys for a request's body, extended with those of its rows."""

    def found(body: bytes) -> dict[str, Any]:
        context = find(body)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return context
        if not isinstance(request, dict):
            return context
        items = request.get("TransactItems")
        if not isinstance(items, list):
            return context | touched(request)
        each = [(_ACTIONS[kind], one) for item in items for kind, one in item.items() if kind in _ACTIONS]
        return context | {ITEMS: [(f"dynamodb:{action}", one.get("TableName"), touched(one)) for action, one in each]}

    return found


def of_item(context: Mapping[str, Any], action: str, resource: str) -> dict[str, Any]:
    """The condition keys for one check of a request: all of a transaction's items with that action and table."""
    own = {name: value for name, value in context.items() if name != ITEMS}
    for item_action, table, keys in context.get(ITEMS, ()):
        if item_action == action and resource.endswith(f":table/{table}"):
            for name, values in keys.items():
                own[name] = values if isinstance(values, str) else sorted({*own.get(name, ()), *values})
    return own


def touched(request: Mapping[str, Any]) -> dict[str, list[str] | str]:
    """The keys of a request for one row; empty if it names no row by its key."""
    key = request.get("Key")
    if not isinstance(key, dict) or not key:
        return {}
    names = request.get("ExpressionAttributeNames") or {}
    expressions = " ".join(str(request[name]) for name in _EXPRESSIONS if name in request)
    named = {names.get(word, word) for word in _NAME.findall(expressions) if word.upper() not in _WORDS}
    value = next(iter(key.values()))
    # A request that projects nothing is answered with the whole row.
    selected = {"UpdateExpression", "ProjectionExpression"} & request.keys() or "Item" in request
    return {
        KEYS: [str(next(iter(value.values())))],
        ATTRIBUTES: sorted({*key, *named}),
        RETURNED: str(request.get("ReturnValues", "NONE")),
        SELECTED: "SPECIFIC_ATTRIBUTES" if selected else "ALL_ATTRIBUTES",
    }

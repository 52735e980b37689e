"""What DynamoDB requests touch, as the roles' conditions see it: unit by unit, and on the running local cloud."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infrastructure.permissions import TableGrant
from local_cloud.ministack.row_conditions import (
    ATTRIBUTES,
    ITEMS,
    KEYS,
    RETURNED,
    SELECTED,
    of_item,
    touched,
    with_rows,
)
from local_cloud.settings import DEFAULT_REGION
from tests.local_cloud.tiny_stack import Tiny

ROW = {"Key": {"id": {"S": "load#alice"}}}


@pytest.mark.parametrize(
    ("expressions", "attributes"),
    [
        ({}, []),
        ({"UpdateExpression": "SET a = :a, #b = if_not_exists(c, :zero) + :one REMOVE d, e[0] ADD f :f"}, "abcdef"),
        ({"UpdateExpression": "SET a.deep.below = :a, #b.#c = :b"}, "ab"),
        (
            {"ConditionExpression": "attribute_not_exists(a) OR (#b = :b AND NOT c IN (:d)) AND size(d) > :f"},
            "abcd",
        ),
        ({"ProjectionExpression": "a, #b, c.d"}, "abc"),
        ({"UpdateExpression": "set a=:a remove b", "ConditionExpression": "c between :d and :e"}, "abc"),
    ],
)
def test_every_first_part_of_an_expression_is_an_attribute(expressions: dict[str, str], attributes: str) -> None:
    request = {**ROW, **expressions, "ExpressionAttributeNames": {"#b": "b", "#c": "c"}}

    found = touched(request)

    assert (found[KEYS], found[ATTRIBUTES]) == (["load#alice"], sorted({"id", *attributes}))


@pytest.mark.parametrize(
    ("request_", "returned", "selected"),
    [
        ({}, "NONE", "ALL_ATTRIBUTES"),
        ({"ProjectionExpression": "a"}, "NONE", "SPECIFIC_ATTRIBUTES"),
        ({"UpdateExpression": "SET a = :a", "ReturnValues": "ALL_NEW"}, "ALL_NEW", "SPECIFIC_ATTRIBUTES"),
    ],
)
def test_what_a_request_wants_back_is_a_condition_too(request_: dict[str, str], returned: str, selected: str) -> None:
    found = touched({**ROW, **request_})

    assert (found[RETURNED], found[SELECTED]) == (returned, selected)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"TableName": "rows", "Limit": 1}'])
def test_what_names_no_row_is_as_before(body: bytes) -> None:
    assert with_rows(lambda _: {"before": "all"})(body) == {"before": "all"}


def test_a_transactions_items_count_where_their_own_action_and_table_are_asked_for() -> None:
    body = {
        "TransactItems": [
            {"Update": {"TableName": "counts", **ROW}},
            {"Update": {"TableName": "rows", "Key": {"id": {"S": "one"}}}},
            {"Delete": {"TableName": "counts", "Key": {"id": {"S": "two"}}}},
            {"Put": {"TableName": "counts", "Item": {"id": {"S": "three"}}}},
        ]
    }
    context = with_rows(lambda _: {})(json.dumps(body).encode())

    seen = [
        of_item(context, f"dynamodb:{action}", f"arn:aws:dynamodb:x:1:table/{table}").get(KEYS)
        for action, table in (("UpdateItem", "counts"), ("UpdateItem", "rows"), ("DeleteItem", "counts"))
    ]

    assert seen == [["load#alice"], ["one"], ["two"]]
    assert ITEMS not in of_item(context, "dynamodb:UpdateItem", "")


def test_a_role_held_to_some_rows_and_attributes_is_refused_others(shared: Tiny) -> None:
    client = held_to(
        shared,
        {
            "ForAllValues:StringLike": {KEYS: ["load#*"]},
            "ForAllValues:StringEquals": {ATTRIBUTES: ["id", "counted"]},
        },
    )
    (table,) = client.list_tables()["TableNames"]

    def change(key: str, attribute: str) -> dict[str, Any]:
        return {
            "TableName": table,
            "Key": {"id": {"S": key}},
            "UpdateExpression": f"SET {attribute} = :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }

    client.update_item(**change("load#alice", "counted"))
    client.transact_write_items(TransactItems=[{"Update": change("load#bob", "counted")}])

    for refused in (change("key#alice", "counted"), change("load#alice", "rights")):
        with pytest.raises(ClientError, match="is not authorized to perform: dynamodb:UpdateItem"):
            client.update_item(**refused)
        with pytest.raises(ClientError, match="is not authorized to perform: dynamodb:UpdateItem"):
            client.transact_write_items(TransactItems=[{"Update": change("load#eve", "counted")}, {"Update": refused}])
    assert {row["id"]["S"] for row in admin(shared).scan(TableName=table)["Items"]} >= {"load#alice", "load#bob"}
    assert not admin(shared).get_item(TableName=table, Key={"id": {"S": "load#eve"}}).get("Item")


def test_a_worker_reads_its_own_attributes_and_no_row_whole(shared: Tiny) -> None:
    """Under the conditions that the container's role has."""
    grant = TableGrant(None, ["GetItem", "UpdateItem"], attributes=["id", "status"])  # type: ignore[arg-type]
    conditions = {operator: dict(keys) for operator, keys in (grant.conditions or {}).items()}
    client = held_to(shared, conditions, user="worker")
    (table,) = client.list_tables()["TableNames"]
    place: dict[str, Any] = {"TableName": table, "Key": {"id": {"S": "job"}}}
    change = {
        "UpdateExpression": "SET #status = :status",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":status": {"S": "running"}},
    }
    admin(shared).put_item(TableName=table, Item={"id": {"S": "job"}, "params": {"S": "secret"}})

    client.update_item(**place, **change, ReturnValues="UPDATED_NEW")
    read = client.get_item(
        **place, ProjectionExpression="#status", ExpressionAttributeNames=change["ExpressionAttributeNames"]
    )

    assert read["Item"] == {"status": {"S": "running"}}
    with pytest.raises(ClientError, match="is not authorized to perform: dynamodb:UpdateItem"):
        client.update_item(**place, **change, ReturnValues="ALL_NEW")
    for more in ({}, {"ProjectionExpression": "params"}):
        with pytest.raises(ClientError, match="is not authorized to perform: dynamodb:GetItem"):
            client.get_item(**place, **more)


def held_to(shared: Tiny, conditions: dict[str, Any], *, user: str = "counter") -> Any:
    """A client of a user who may read and change rows under these conditions."""
    statements = [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": "*",
            "Condition": conditions,
        },
        {"Effect": "Allow", "Action": ["dynamodb:ListTables"], "Resource": "*"},
    ]
    users = shared.iam()
    users.create_user(UserName=user)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    users.put_user_policy(UserName=user, PolicyName="Counting", PolicyDocument=document)
    key = users.create_access_key(UserName=user)["AccessKey"]
    return dynamodb(shared, key["AccessKeyId"], key["SecretAccessKey"])


def admin(shared: Tiny) -> Any:
    return dynamodb(shared, shared.cloud.root().access_key, shared.cloud.root().secret_key)


def dynamodb(shared: Tiny, key: str, secret: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=shared.cloud.endpoint_url,
        region_name=DEFAULT_REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )

"""Transactions: all or none, and a refusal by the names of its conditions."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.rows import (
    CONFLICT_TRIES,
    Action,
    Check,
    Condition,
    Delete,
    PutNew,
    Update,
    from_item,
    to_item,
    transact,
)
from tests.lambdas.cloud import Cloud, before_call

TABLE = "access"
ROOM = Condition("room", "used < :most")


def put(name: str) -> Action:
    return PutNew(table=TABLE, key={"access_id": name}, row={"used": 1}, absent=f"{name} is new")


def take(name: str, *, most: int) -> Action:
    values = {":one": 1, ":most": most}
    return Update(table=TABLE, key={"access_id": name}, expression="ADD used :one", values=values, condition=ROOM)


def there(name: str) -> Action:
    exists = Condition(f"{name} is there", "used = :one")
    return Check(table=TABLE, key={"access_id": name}, values={":one": 1}, condition=exists)


def used(cloud: Cloud, name: str) -> object:
    row = cloud.dynamodb.get_item(TableName=TABLE, Key=to_item({"access_id": name})).get("Item")
    return from_item(row)["used"] if row else None


def test_a_refusal_names_every_condition_that_did_not_hold_wherever_its_action_stands(cloud: Cloud) -> None:
    transact(cloud.dynamodb, [put("a")])
    full, gone = take("a", most=1), there("b")

    refusals = [
        transact(cloud.dynamodb, [full, gone, put("c")]),
        transact(cloud.dynamodb, [put("c"), put("d"), gone, full]),
        transact(cloud.dynamodb, [Delete(table=TABLE, key={"access_id": "e"}), full, gone]),
    ]

    assert refusals == [{"room", "b is there"}] * 3
    assert (used(cloud, "a"), used(cloud, "c")) == (1, None)


def test_what_is_not_refused_happens_and_names_nothing(cloud: Cloud) -> None:
    transact(cloud.dynamodb, [put("a")])

    assert transact(cloud.dynamodb, [take("a", most=2), put("b")]) == frozenset()
    assert transact(cloud.dynamodb, [there("b"), Delete(table=TABLE, key={"access_id": "a"})]) == frozenset()

    assert (used(cloud, "a"), used(cloud, "b")) == (None, 1)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
def test_a_conflict_with_another_transaction_is_tried_again(cloud: Cloud, code: str) -> None:
    waits: list[float] = []

    def conflict() -> None:
        if len(waits) < 2:
            raise canceled(code)

    with before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", conflict):
        assert transact(cloud.dynamodb, [put("a")], sleep=waits.append) == frozenset()

    assert (used(cloud, "a"), len(waits)) == (1, 2)


def test_endless_conflicts_are_given_up(cloud: Cloud) -> None:
    waits: list[float] = []

    def conflict() -> None:
        raise canceled("TransactionConflict")

    with (
        before_call(cloud.dynamodb, "dynamodb.TransactWriteItems", conflict),
        pytest.raises(ClientError, match="TransactionCanceled"),
    ):
        transact(cloud.dynamodb, [put("a")], sleep=waits.append)

    assert len(waits) == CONFLICT_TRIES - 1


def canceled(code: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "canceled"},
        "CancellationReasons": [{"Code": code}],
    }
    return ClientError(answer, "TransactWriteItems")

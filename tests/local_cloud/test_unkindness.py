"""The local cloud is as unkind as AWS: events come twice, indices lag, and there are only so many executions."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_cloud.__main__ import main
from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import KIND, Unkindness
from tests.local_cloud.tiny_stack import CONTAINER, Tiny

INDEX = {
    "IndexName": "by-colour",
    "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


@pytest.fixture(scope="module")
def unkind(tmp_path_factory: pytest.TempPathFactory, assembly: Path) -> Iterator[Tiny]:
    """Everything comes twice, and indices lag by up to two seconds."""
    with LocalCloud(
        tmp_path_factory.mktemp("unkind"),
        assembly=assembly,
        container_command=CONTAINER,
        unkindness=Unkindness(doubled_events=1, doubled_within_seconds=0.1, index_lag_seconds=2),
    ) as cloud:
        yield Tiny(cloud)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, assembly: Path) -> Iterator[Tiny]:
    """An account in which one function runs at a time."""
    with LocalCloud(
        tmp_path_factory.mktemp("small"),
        assembly=assembly,
        container_command=CONTAINER,
        unkindness=Unkindness(doubled_events=0, index_lag_seconds=0, concurrency=1),
    ) as cloud:
        yield Tiny(cloud)


def function_name(tiny: Tiny) -> str:
    (function,) = tiny.client("lambda").list_functions()["Functions"]
    return str(function["FunctionName"])


def start(tiny: Tiny, event: dict[str, Any], *, how: str = "Event") -> Any:
    payload = json.dumps(event).encode()
    return tiny.client("lambda").invoke(FunctionName=function_name(tiny), InvocationType=how, Payload=payload)


def test_a_message_of_a_queue_comes_twice(unkind: Tiny) -> None:
    unkind.submit("doubled", {"text": "good evening"})

    unkind.wait(lambda: len(unkind.rows("delivery of doubled: ")) == 2)


def test_an_asynchronous_invocation_comes_twice_and_a_synchronous_one_once(unkind: Tiny) -> None:
    start(unkind, {"row": "synchronous"}, how="RequestResponse")
    start(unkind, {"row": "asynchronous"})

    unkind.wait(lambda: len(unkind.rows("asynchronous: ")) == 2)
    assert len(unkind.rows("synchronous: ")) == 1


def test_a_rule_starts_a_function_twice(unkind: Tiny) -> None:
    events = unkind.client("events")
    arn = unkind.client("lambda").get_function(FunctionName=function_name(unkind))["Configuration"]["FunctionArn"]
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["test"]}))
    events.put_targets(Rule="told", Targets=[{"Id": "1", "Arn": arn, "Input": json.dumps({"row": "rule"})}])

    events.put_events(Entries=[{"Source": "test", "DetailType": "x", "Detail": "{}"}])

    unkind.wait(lambda: len(unkind.rows("rule: ")) == 2)


def test_an_index_shows_a_row_its_change_and_its_deletion_later_than_the_table(unkind: Tiny) -> None:
    table, key = "coloured", {"id": {"S": "one"}}
    unkind.dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "colour")],
        GlobalSecondaryIndexes=[INDEX],  # type: ignore[list-item]
        BillingMode="PAY_PER_REQUEST",
    )

    def listed(colour: str) -> int:
        answer = unkind.dynamodb.query(
            TableName=table,
            IndexName="by-colour",
            KeyConditionExpression="colour = :colour",
            ExpressionAttributeValues={":colour": {"S": colour}},
        )
        return answer["Count"]

    def there() -> str | None:
        row = unkind.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return None if row is None else row["colour"]["S"]

    unkind.dynamodb.put_item(TableName=table, Item=key | {"colour": {"S": "red"}})
    assert (there(), listed("red")) == ("red", 0)
    unkind.wait(lambda: listed("red") == 1)

    unkind.dynamodb.put_item(TableName=table, Item=key | {"colour": {"S": "blue"}})
    assert (there(), listed("red"), listed("blue")) == ("blue", 1, 0)
    unkind.wait(lambda: (listed("red"), listed("blue")) == (0, 1))

    unkind.dynamodb.delete_item(TableName=table, Key=key)
    assert (there(), listed("blue")) == (None, 1)
    unkind.wait(lambda: listed("blue") == 0)


def test_an_account_with_one_execution_refuses_a_second_request_and_lets_events_wait(
    small: Tiny, tmp_path: Path
) -> None:
    running = small.client("lambda").exceptions.TooManyRequestsException
    first, ended = list[int](), tmp_path / "ended"

    def hold() -> None:
        """The request that runs; it may come when another has the execution."""
        asked = {"until": str(ended)}
        while (status := httpx.get(f"{small.cloud.api_url}/", params=asked, timeout=90).status_code) == 504:
            pass
        first.append(status)

    waiting = threading.Thread(target=hold)
    waiting.start()
    small.wait(lambda: httpx.get(f"{small.cloud.api_url}/", timeout=30).status_code == 504)

    with pytest.raises(running, match="account concurrency"):
        start(small, {"row": "refused"}, how="RequestResponse")
    start(small, {"row": "waited"})
    ended.touch()

    waiting.join()
    assert first == [200]
    small.wait(lambda: len(small.rows("waited: ")) == 1)
    assert small.rows("refused: ") == []


def test_a_kind_cloud_is_left_for_measurements() -> None:
    assert (KIND.doubled_events, KIND.index_lag_seconds, KIND.concurrency) == (0, 0, None)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"doubled_events": 2}, "a share from 0 to 1"),
        ({"index_lag_seconds": -1}, "no past"),
        ({"concurrency": 0}, "at least one execution"),
        ({"concurrency": 2.5}, "received 2.5 for concurrency; allowed: a whole number"),
        ({"doubled_events": True}, "received True for doubled_events; allowed: a number"),
        ({"tripled_events": 1}, "a JSON object of concurrency, doubled_events"),
        ([], "a JSON object of"),
    ],
)
def test_an_unkindness_that_cannot_be_is_refused(document: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Unkindness.of(document)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--concurrency", "0"], "received '0'; allowed: from 1 to 1000"),
        (["--concurrency", "many"], "received 'many'; allowed"),
        (["--unkindness", "much"], "Expecting value"),
        (["--unkindness", '{"doubled_events": 7}'], "a share from 0 to 1"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    assert words in capsys.readouterr().err

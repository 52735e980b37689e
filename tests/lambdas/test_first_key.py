"""The first admin key: made once, known by its hash, kept in the secret, and CloudFormation is always answered."""

import hashlib
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.functions import first_key
from lambdas.settings import FirstKeySettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient

PARAMETER = "/GenerateOnCloud/admin-key"


@dataclass
class CloudFormation:
    """Listens where CloudFormation would wait for the answer."""

    url: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)

    def event(self, request_type: str, **more: str) -> dict[str, str]:
        return {
            "RequestType": request_type,
            "ResponseURL": self.url,
            "StackId": "stack-1",
            "RequestId": "request-1",
            "LogicalResourceId": "FirstKey",
        } | more


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    class Listener(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            heard.answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            heard.content_types.append(self.headers["Content-Type"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    heard = CloudFormation(url=f"http://127.0.0.1:{server.server_port}/answer")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield heard
    server.shutdown()
    thread.join(20)
    server.server_close()


@dataclass
class Stack:
    """What the stack has created when the custom resource runs."""

    settings: FirstKeySettings
    dynamodb: "DynamoDBClient"
    ssm: "SSMClient"

    def make(self) -> None:
        first_key.make_first_key(settings=self.settings, ssm=self.ssm, dynamodb=self.dynamodb)

    @property
    def secret(self) -> str:
        return self.ssm.get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"]

    @property
    def parameters(self) -> dict[str, str]:
        """Types by name."""
        return {each["Name"]: each["Type"] for each in self.ssm.describe_parameters()["Parameters"]}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Of keys."""
        items = self.dynamodb.scan(TableName=self.settings.ACCESS_TABLE)["Items"]
        return [item for item in items if item["access_id"].get("S", "").startswith("key#")]

    def row(self, access_id: str) -> dict[str, Any]:
        item = self.dynamodb.get_item(TableName=self.settings.ACCESS_TABLE, Key={"access_id": {"S": access_id}})
        return dict(item["Item"])


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
        dynamodb, ssm = boto3.client("dynamodb"), boto3.client("ssm")
        dynamodb.create_table(
            TableName="access",
            KeySchema=[{"AttributeName": "access_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "access_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        settings = FirstKeySettings(ACCESS_TABLE="access", KEY_PARAMETER=PARAMETER)
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        yield Stack(settings, dynamodb, ssm)


def test_create_makes_a_256_bit_key_and_keeps_only_its_hash_in_the_table(
    stack: Stack, cloudformation: CloudFormation
) -> None:
    first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    assert re.fullmatch(r"goc_[A-Za-z0-9_-]{43}", stack.secret)
    assert stack.parameters == {PARAMETER: "SecureString"}
    (row,) = stack.rows
    assert row["access_id"] == {"S": f"key#{hashlib.sha256(stack.secret.encode()).hexdigest()}"}
    assert (row["user"], row["role"]) == ({"S": "admin"}, {"S": "admin"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["created_at"]["S"])
    assert stack.row("user#admin")["key_ids"] == {"SS": [row["access_id"]["S"].removeprefix("key#")]}
    assert stack.row("role#admin")["user_count"] == {"N": "1"}
    (answer,) = cloudformation.answers
    assert answer["Status"] == "SUCCESS"
    assert (answer["StackId"], answer["RequestId"]) == ("stack-1", "request-1")
    # The real address is presigned without a content type.
    assert cloudformation.content_types == [""]


def test_the_key_is_neither_answered_nor_logged(
    stack: Stack, cloudformation: CloudFormation, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="lambdas"):
        first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    assert caplog.records
    assert stack.secret not in json.dumps(cloudformation.answers)
    assert stack.secret not in caplog.text


def test_create_again_changes_nothing(stack: Stack) -> None:
    stack.make()
    key, rows = stack.secret, stack.rows

    stack.make()

    assert (stack.secret, stack.rows) == (key, rows)


def test_a_call_that_died_before_the_row_is_ended_by_the_next(stack: Stack) -> None:
    stack.make()
    key, (row,) = stack.secret, stack.rows
    stack.dynamodb.delete_item(TableName="access", Key={"access_id": row["access_id"]})

    stack.make()

    assert stack.secret == key
    assert [again["access_id"] for again in stack.rows] == [row["access_id"]]


def test_an_update_keeps_key_and_row(stack: Stack, cloudformation: CloudFormation) -> None:
    stack.make()
    key, rows = stack.secret, stack.rows

    first_key.handler(cloudformation.event("Update", PhysicalResourceId="kept-id"), SimpleNamespace())

    assert (stack.secret, stack.rows) == (key, rows)
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "kept-id")


def test_an_update_of_a_stage_that_kept_its_key_elsewhere_makes_a_new_one(
    stack: Stack, cloudformation: CloudFormation
) -> None:
    first_key.handler(cloudformation.event("Update", PhysicalResourceId="id"), SimpleNamespace())

    (row,) = stack.rows
    assert row["access_id"] == {"S": f"key#{hashlib.sha256(stack.secret.encode()).hexdigest()}"}


def test_delete_removes_the_key_but_not_the_row_of_a_table_that_may_be_kept(
    stack: Stack, cloudformation: CloudFormation
) -> None:
    stack.make()
    rows = stack.rows

    for _ in range(2):
        first_key.handler(cloudformation.event("Delete", PhysicalResourceId="id"), SimpleNamespace())

    assert (stack.parameters, stack.rows) == ({}, rows)
    assert [answer["Status"] for answer in cloudformation.answers] == ["SUCCESS"] * 2


def test_an_update_does_not_bring_a_revoked_key_back(stack: Stack, cloudformation: CloudFormation) -> None:
    stack.make()
    (row,) = stack.rows
    stack.dynamodb.delete_item(TableName="access", Key={"access_id": row["access_id"]})

    first_key.handler(cloudformation.event("Update", PhysicalResourceId="id"), SimpleNamespace())

    assert stack.rows == []


def test_a_parameter_that_cannot_be_written_is_answered_failed_with_the_reason_and_leaves_no_row(
    stack: Stack, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_PARAMETER", "aws-may-not")

    first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert "ValidationException" in answer["Reason"]
    assert stack.rows == []


def test_missing_settings_are_answered_failed(
    stack: Stack, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEY_PARAMETER")

    first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert "KEY_PARAMETER" in answer["Reason"]


def test_a_long_reason_fits_in_an_answer(stack: Stack, cloudformation: CloudFormation) -> None:
    first_key.answer(cloudformation.event("Create"), status="FAILED", reason="é" * 10_000)

    assert len(json.dumps(cloudformation.answers[0])) < 4096


def test_two_calls_at_once_settle_on_one_key(stack: Stack) -> None:
    class Overtaken:
        """The same client; before the first key is put, another call has put its own."""

        exceptions = stack.ssm.exceptions
        get_parameter = staticmethod(stack.ssm.get_parameter)

        def put_parameter(self, **arguments: Any) -> object:
            stack.make()
            return stack.ssm.put_parameter(**arguments)

    first_key.make_first_key(settings=stack.settings, ssm=Overtaken(), dynamodb=stack.dynamodb)  # type: ignore[arg-type]

    (row,) = stack.rows
    assert row["access_id"] == {"S": f"key#{hashlib.sha256(stack.secret.encode()).hexdigest()}"}


def test_an_answer_that_cannot_be_delivered_fails_the_call_so_that_lambda_repeats_it(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_at_once:
        port = closed_at_once.getsockname()[1]
    unreachable = CloudFormation(url=f"http://127.0.0.1:{port}/answer")

    with pytest.raises(OSError, match="refused"):
        first_key.handler(unreachable.event("Delete"), SimpleNamespace())


def test_an_error_of_the_table_is_not_taken_for_a_known_key(stack: Stack) -> None:
    stack.dynamodb.delete_table(TableName="access")

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        stack.make()

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
    from mypy_boto3_secretsmanager import SecretsManagerClient

REQUEST = "stack-1/FirstKey"


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
    secretsmanager: "SecretsManagerClient"

    def make(self) -> None:
        first_key.make_first_key(
            settings=self.settings, request=REQUEST, secretsmanager=self.secretsmanager, dynamodb=self.dynamodb
        )

    @property
    def secret(self) -> str:
        return self.secretsmanager.get_secret_value(SecretId=self.settings.SECRET_ARN)["SecretString"]

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
        dynamodb, secretsmanager = boto3.client("dynamodb"), boto3.client("secretsmanager")
        dynamodb.create_table(
            TableName="access",
            KeySchema=[{"AttributeName": "access_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "access_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        # CloudFormation creates the secret with 32 random characters.
        arn = secretsmanager.create_secret(Name="admin-key", SecretString="x" * 32)["ARN"]
        settings = FirstKeySettings(ACCESS_TABLE="access", SECRET_ARN=arn)
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        yield Stack(settings, dynamodb, secretsmanager)


def test_create_makes_a_256_bit_key_and_keeps_only_its_hash_in_the_table(
    stack: Stack, cloudformation: CloudFormation
) -> None:
    first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    assert re.fullmatch(r"goc_[A-Za-z0-9_-]{43}", stack.secret)
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


@pytest.mark.parametrize("request_type", ["Update", "Delete"])
def test_update_and_delete_keep_key_and_row(stack: Stack, cloudformation: CloudFormation, request_type: str) -> None:
    stack.make()
    key, rows = stack.secret, stack.rows

    first_key.handler(cloudformation.event(request_type, PhysicalResourceId="kept-id"), SimpleNamespace())

    assert (stack.secret, stack.rows) == (key, rows)
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "kept-id")


def test_an_update_does_not_bring_a_revoked_key_back(stack: Stack, cloudformation: CloudFormation) -> None:
    stack.make()
    (row,) = stack.rows
    stack.dynamodb.delete_item(TableName="access", Key={"access_id": row["access_id"]})

    first_key.handler(cloudformation.event("Update", PhysicalResourceId="id"), SimpleNamespace())

    assert stack.rows == []


def test_a_missing_secret_is_answered_failed_with_the_reason_and_leaves_no_row(
    stack: Stack, cloudformation: CloudFormation
) -> None:
    stack.secretsmanager.delete_secret(SecretId=stack.settings.SECRET_ARN, ForceDeleteWithoutRecovery=True)

    first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert "ResourceNotFoundException" in answer["Reason"]
    assert stack.rows == []


def test_missing_settings_are_answered_failed(
    stack: Stack, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_ARN")

    first_key.handler(cloudformation.event("Create"), SimpleNamespace())

    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert "SECRET_ARN" in answer["Reason"]


def test_a_long_reason_fits_in_an_answer(stack: Stack, cloudformation: CloudFormation) -> None:
    first_key.answer(cloudformation.event("Create"), status="FAILED", reason="é" * 10_000)

    assert len(json.dumps(cloudformation.answers[0])) < 4096


def test_two_calls_at_once_settle_on_one_key(stack: Stack) -> None:
    class Overtaken:
        """The same client; before the first key is put, another call has put its own."""

        exceptions = stack.secretsmanager.exceptions
        get_secret_value = staticmethod(stack.secretsmanager.get_secret_value)
        overtaken = False

        def put_secret_value(self, **arguments: Any) -> object:
            if not self.overtaken:
                self.overtaken = True
                stack.make()
            # As AWS does; the fake behind the client would store the second value under the same token.
            token: str = arguments["ClientRequestToken"]
            raise self.exceptions.ResourceExistsException(
                {"Error": {"Code": "ResourceExistsException", "Message": token}}, "PutSecretValue"
            )

    first_key.make_first_key(
        settings=stack.settings,
        request=REQUEST,
        secretsmanager=Overtaken(),  # type: ignore[arg-type]
        dynamodb=stack.dynamodb,
    )

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

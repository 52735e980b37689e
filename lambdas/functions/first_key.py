"""CloudFormation custom resource that creates the first admin key; the key must never be in a log or an answer."""

import hashlib
import json
import logging
import secrets
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3

from generate_on_cloud.contract.access import ADMIN
from lambdas.settings import FirstKeySettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef
    from mypy_boto3_ssm import SSMClient

KEY_PREFIX: Final = "goc_"
PHYSICAL_ID: Final = "first-admin-key"
ANSWER_TIMEOUT_SECONDS: Final = 10
MAX_REASON_CHARACTERS: Final = 500
"""CloudFormation accepts answers of up to 4,096 bytes."""

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda's signature
    """Create the key on Create, and on Update where there is none yet; Delete removes its parameter.

    CloudFormation always gets an answer, because the stack would otherwise hang until its time-out.
    """
    logger.info("%s of %s", event.get("RequestType"), event.get("LogicalResourceId"))
    try:
        settings = FirstKeySettings.from_environment()
        ssm = boto3.client("ssm")
        if event["RequestType"] == "Delete":
            _forget_key(settings, ssm)
        # A stage of 0.2 kept its key in Secrets Manager. Where a key is kept, it may have been revoked since.
        elif event["RequestType"] == "Create" or _read_key(settings, ssm) is None:
            make_first_key(settings=settings, ssm=ssm, dynamodb=boto3.client("dynamodb"))
    except Exception as error:
        logger.exception("the first key could not be created or removed")
        answer(event, status="FAILED", reason=f"{type(error).__name__}: {error}")
    else:
        answer(event, status="SUCCESS")


def make_first_key(*, settings: FirstKeySettings, ssm: "SSMClient", dynamodb: "DynamoDBClient") -> None:
    """Store a 256-bit key in the parameter and its SHA-256 in the table; a repeated call completes what is missing.

    The parameter comes first: a repeated call reads the key from it, so no row is ever left whose key nobody knows.

    Args:
        settings: names of table, parameter and key.
        ssm: client.
        dynamodb: client.
    """
    key = _read_key(settings, ssm)
    if key is None:
        try:
            # CloudFormation cannot create parameters of this type.
            ssm.put_parameter(
                Name=settings.KEY_PARAMETER,
                Type="SecureString",
                Value=KEY_PREFIX + secrets.token_urlsafe(32),
                Description="First admin key of the API (header x-api-key).",
                KeyId=settings.ENCRYPTION_KEY,
            )
        except ssm.exceptions.ParameterAlreadyExists:
            logger.info("another call has made the key")
        key = _read_key(settings, ssm)
    if key is None:
        message = "the parameter holds no key after one was put there"
        raise RuntimeError(message)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    key_id = hashlib.sha256(key.encode()).hexdigest()
    try:
        dynamodb.transact_write_items(TransactItems=_account(settings.ACCESS_TABLE, key_id, now=now))
    except dynamodb.exceptions.TransactionCanceledException as error:
        if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in error.response["CancellationReasons"]):
            raise
        logger.info("the key is known already")


def _account(table: str, key_id: str, *, now: str) -> "list[TransactWriteItemTypeDef]":
    """The rows of the user `admin` with this key, and the count of admins (docs/architecture/01-jobs.md)."""
    made = {"created_at": {"S": now}, "created_by": {"S": "deployment"}}
    return [
        {
            "Put": {
                "TableName": table,
                "Item": {"access_id": {"S": f"key#{key_id}"}, "user": {"S": ADMIN}, "role": {"S": ADMIN}, **made},
                "ConditionExpression": "attribute_not_exists(access_id)",
            }
        },
        {
            "Update": {
                "TableName": table,
                "Key": {"access_id": {"S": f"user#{ADMIN}"}},
                "UpdateExpression": "SET listing = :users, place = :admin, #role = :admin, "
                "created_at = if_not_exists(created_at, :now), created_by = if_not_exists(created_by, :maker) "
                "ADD key_ids :keys, version :one",
                "ExpressionAttributeNames": {"#role": "role"},
                "ExpressionAttributeValues": {
                    ":users": {"S": "users"},
                    ":admin": {"S": ADMIN},
                    ":now": made["created_at"],
                    ":maker": made["created_by"],
                    ":keys": {"SS": [key_id]},
                    ":one": {"N": "1"},
                },
            }
        },
        {
            "Update": {
                "TableName": table,
                "Key": {"access_id": {"S": f"role#{ADMIN}"}},
                "UpdateExpression": "SET user_count = if_not_exists(user_count, :one)",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
        },
    ]


def _read_key(settings: FirstKeySettings, ssm: "SSMClient") -> str | None:
    """The key in the parameter; None where there is no parameter."""
    try:
        return ssm.get_parameter(Name=settings.KEY_PARAMETER, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None


def _forget_key(settings: FirstKeySettings, ssm: "SSMClient") -> None:
    try:
        ssm.delete_parameter(Name=settings.KEY_PARAMETER)
    except ssm.exceptions.ParameterNotFound:
        logger.info("there is no key to remove")


def answer(event: Mapping[str, Any], *, status: str, reason: str = "") -> None:
    """Tell CloudFormation how it went.

    Raises:
        OSError: the address CloudFormation gave cannot be reached; Lambda then repeats the call.
    """
    body = {
        "Status": status,
        "Reason": reason[:MAX_REASON_CHARACTERS],
        "PhysicalResourceId": event.get("PhysicalResourceId", PHYSICAL_ID),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": True,
    }
    # The address is presigned for an empty content type.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_SECONDS):  # noqa: S310
        logger.info("answered %s", status)

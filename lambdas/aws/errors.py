"""The few AWS error codes that we handle, by name."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

CONDITION_FAILED = "ConditionalCheckFailedException"
TRANSACTION_CANCELED = "TransactionCanceledException"
NO_SUCH_OBJECT = frozenset({"NoSuchKey", "404", "NotFound"})
NO_SUCH_UPLOAD = "NoSuchUpload"
REFUSED = frozenset({"ValidationError", "ValidationException"})
"""SageMaker's code for a request it refuses, also if what it names does not exist."""
BAD_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"})
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        # A write to a row that a transaction is writing; unlike the others, boto3 does not repeat it.
        "TransactionConflictException",
    }
)


def error_code(error: ClientError) -> str:
    """AWS's own code, e.g. `ConditionalCheckFailedException`."""
    return str(_details(error).get("Code", ""))


def error_message(error: ClientError) -> str:
    return str(_details(error).get("Message", ""))


def _details(error: ClientError) -> Mapping[str, Any]:
    return error.response.get("Error", {})

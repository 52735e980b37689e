"""Where a list continues: the sort position of the last line shown, opaque to clients.

A cursor does not say whose lines they are; that always comes from the caller's key.
"""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.aws.rows import from_item, to_item
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_CURSOR_CHARACTERS = 4096


def encode_cursor(position: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, parts: int) -> tuple[str, ...]:
    """The position in `cursor`, made of `parts` non-empty strings.

    Raises:
        ProblemError: `invalid_cursor`.
    """
    if len(cursor) <= MAX_CURSOR_CHARACTERS and cursor.isascii():
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            position = json.loads(raw)
        except (binascii.Error, ValueError, RecursionError):
            position = None
        if (
            isinstance(position, list)
            and len(position) == parts
            and all(isinstance(part, str) and 0 < len(part) <= 200 and _is_text(part) for part in position)
            and encode_cursor(position) == cursor
        ):
            return tuple(position)
    raise invalid_cursor()


@dataclass
class CursorSigner:
    """Signs cursors with a secret of the deployment, so that a list only accepts cursors that it gave itself.

    The secret is a row of the jobs table, created when first needed and read once per function instance.
    """

    client: "DynamoDBClient"
    table: str
    _secret: bytes | None = None

    def sign(self, position: Sequence[str], *, scope: str) -> str:
        plain = encode_cursor(position)
        return f"{plain}.{self._signature(plain, scope)}"

    def read(self, cursor: str, *, scope: str, parts: int) -> tuple[str, ...]:
        """The position in a cursor of the list `scope`.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        plain, _, signature = cursor.rpartition(".")
        good = cursor.isascii() and len(cursor) <= MAX_CURSOR_CHARACTERS and plain
        if not good or not hmac.compare_digest(signature, self._signature(plain, scope)):
            raise invalid_cursor()
        return decode_cursor(plain, parts=parts)

    def secret(self) -> bytes:
        """The deployment's secret; one or two calls the first time."""
        if self._secret is None:
            key = to_item({"job_id": "cursor_secret"})
            known = self.client.get_item(TableName=self.table, Key=key).get("Item")
            if known is None:
                row = to_item({"job_id": "cursor_secret", "secret": secrets.token_bytes(32)})
                with suppress(self.client.exceptions.ConditionalCheckFailedException):
                    self.client.put_item(
                        TableName=self.table, Item=row, ConditionExpression="attribute_not_exists(job_id)"
                    )
                known = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)["Item"]
            self._secret = bytes(from_item(known)["secret"])
        return self._secret

    def _signature(self, plain: str, scope: str) -> str:
        digest = hmac.digest(self.secret(), json.dumps([plain, scope]).encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode()[:32]


def invalid_cursor() -> ProblemError:
    return ProblemError(
        ProblemCode.INVALID_CURSOR,
        "Received a cursor that this API did not return; allowed: next_cursor of the previous page.",
    )


def _is_text(part: str) -> bool:
    try:
        part.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

"""`Idempotency-Key`: a repeated request gets the first one's answer and creates nothing twice.

A key is a row of the jobs table, `idempotency#…`, that is in no index. It is taken before anything is created and names
the job that will be created, so that a request that takes over after a crash creates (or finds) exactly that job.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import BaseModel

from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import from_item, to_item
from lambdas.problems import ProblemError, invalid, shortened

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HEADER = "idempotency-key"
KEPT = timedelta(hours=24)
LOCKED = timedelta(seconds=40)
"""A request that has not finished after this long never will: its function has died."""
MAX_KEY = 255


@dataclass(frozen=True)
class Ticket:
    """A key and the content of its row."""

    row_id: str
    request_hash: str
    job_id: str
    """Id of the job that this key creates."""
    taken_over: bool = False
    """An earlier request died, maybe after the job was created."""


@dataclass(frozen=True)
class Replay:
    """The key's first answer."""

    job_id: str
    answer: str
    """Its JSON."""


@dataclass(frozen=True)
class IdempotencyKeys:
    client: "DynamoDBClient"
    table: str

    def take(self, key: str, *, user: str, request: str, job_id: str, now: datetime) -> Ticket | Replay:
        """Take `key` for this request of `user`, or find its earlier result. One call if the key is new.

        Raises:
            ProblemError: `idempotency_mismatch`, `idempotency_in_flight`, or `invalid_params` for an invalid key.
        """
        if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
            message = f"received {shortened(key)!r}; allowed: 1 to {MAX_KEY} printable ASCII characters"
            raise invalid([FieldError(pointer="header:Idempotency-Key", message=message)])
        row_id = f"idempotency#{_digest(json.dumps([user, key]))}"
        ticket = Ticket(row_id, _digest(request), job_id)
        if self._put(ticket, now, condition="attribute_not_exists(job_id) OR expires_at < :now"):
            return ticket
        item = self.client.get_item(TableName=self.table, Key=to_item({"job_id": row_id}), ConsistentRead=True).get(
            "Item"
        )
        known = from_item(item) if item else {}
        if known and known["request_hash"] != ticket.request_hash:
            message = "received a request that differs from the first one with this key; allowed: an identical request"
            raise ProblemError(
                ProblemCode.IDEMPOTENCY_MISMATCH,
                "This Idempotency-Key was used for another request within 24 hours.",
                errors=[FieldError(pointer="header:Idempotency-Key", message=message)],
            )
        if "answer" in known:
            return Replay(str(known["makes_job"]), str(known["answer"]))
        taken = Ticket(row_id, ticket.request_hash, str(known["makes_job"]), taken_over=True) if known else ticket
        if known and self._put(taken, now, condition="locked_until < :now AND attribute_not_exists(answer)"):
            return taken
        left = int(known["locked_until"]) - int(now.timestamp()) if known else 0
        raise ProblemError(
            ProblemCode.IDEMPOTENCY_IN_FLIGHT,
            "The first request with this Idempotency-Key is still in progress.",
            retry_after=max(1, min(left, 5)),
        )

    def keep(self, ticket: Ticket, answer: BaseModel) -> None:
        """Remember the answer."""
        self.client.update_item(
            TableName=self.table,
            Key=to_item({"job_id": ticket.row_id}),
            UpdateExpression="SET answer = :answer REMOVE locked_until",
            ConditionExpression="makes_job = :job",
            ExpressionAttributeValues=to_item({":answer": answer.model_dump_json(), ":job": ticket.job_id}),
        )

    def release(self, ticket: Ticket) -> None:
        """Free a key whose request was refused: nothing was created, so a corrected request may use it."""
        self.client.delete_item(
            TableName=self.table,
            Key=to_item({"job_id": ticket.row_id}),
            ConditionExpression="attribute_not_exists(answer)",
        )

    def _put(self, ticket: Ticket, now: datetime, *, condition: str) -> bool:
        row = {
            "job_id": ticket.row_id,
            "request_hash": ticket.request_hash,
            "makes_job": ticket.job_id,
            "locked_until": int((now + LOCKED).timestamp()),
            "expires_at": int((now + KEPT).timestamp()),
        }
        try:
            self.client.put_item(
                TableName=self.table,
                Item=to_item(row),
                ConditionExpression=condition,
                ExpressionAttributeValues=to_item({":now": int(now.timestamp())}),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

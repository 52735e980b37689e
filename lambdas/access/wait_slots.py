"""How many requests may wait at once: each holds one of the account's concurrent Lambda executions while it waits.

wait#NUMBER   `access_id`; who holds the slot, and until when if its holder dies
"""

import hashlib
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from botocore.exceptions import ClientError

from lambdas.access.table import AccessTable
from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import new_id, to_item

TRIES: Final = 3
RETRY_AFTER: Final = 5
"""Seconds after which a request that could not wait should come again."""
_SLACK: Final = timedelta(seconds=5)
"""After the end of a wait, before its slot counts as free although nobody gave it back."""


@dataclass(frozen=True)
class Slot:
    number: int
    holder: str


@dataclass(frozen=True)
class WaitSlots:
    access: AccessTable
    slots: int
    """0: no request waits."""

    def take(self, user: str, *, seconds: float, now: datetime) -> Slot | None:
        """A free slot of the user's share, which is half of all; None: the request must not wait.

        At most TRIES calls.
        """
        if self.slots == 0:
            return None
        holder, until = new_id(), (now + timedelta(seconds=seconds) + _SLACK).timestamp()
        first = int(hashlib.sha256(user.encode()).hexdigest(), 16)
        share = [(first + place) % self.slots for place in range(-(-self.slots // 2))]
        for number in random.sample(share, min(TRIES, len(share))):
            values: dict[str, object] = {":until": int(until), ":holder": holder, ":now": int(now.timestamp())}
            if self._write(number, "SET held_until = :until, holder = :holder", "held_until < :now", values):
                return Slot(number, holder)
        return None

    def give_back(self, slot: Slot) -> None:
        """Free the slot; one call."""
        self._write(slot.number, "SET held_until = :none", "holder = :holder", {":none": 0, ":holder": slot.holder})

    def _write(self, number: int, update: str, condition: str, values: dict[str, object]) -> bool:
        free = "attribute_not_exists(held_until) OR " if ":now" in values else ""
        try:
            self.access.client.update_item(
                TableName=self.access.table,
                Key=to_item({"access_id": f"wait#{number}"}),
                UpdateExpression=update,
                ConditionExpression=f"{free}{condition}",
                ExpressionAttributeValues=to_item(values),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

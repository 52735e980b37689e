"""Who is calling: the user and role behind an `x-api-key`, known only by the key's SHA-256."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference_container.contract.errors import ProblemCode
from lambdas.items import from_item, to_item
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CACHE_SECONDS = 60.0
CACHED_KEYS = 1000
ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    user: str
    role: str

    @property
    def is_admin(self) -> bool:
        return self.role == ADMIN

    def may_see(self, owner: str) -> bool:
        return self.is_admin or owner == self.user


@dataclass
class AccessStore:
    """Looks keys up in the access table; a revoked key works for at most CACHE_SECONDS more."""

    client: "DynamoDBClient"
    table: str
    monotonic: Callable[[], float] = time.monotonic
    """Seconds of a clock that never goes back."""
    _known: dict[str, tuple[float, Caller]] = field(default_factory=dict)

    def caller_with(self, key: str | None) -> Caller:
        """The caller whose key this is.

        Raises:
            ProblemError: `unauthorized`, the same words for a missing and for a wrong key.
        """
        if key:
            access_id = f"key#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
            caller = self._remembered(access_id) or self._looked_up(access_id)
            if caller is not None:
                return caller
        raise ProblemError(ProblemCode.UNAUTHORIZED, "Send a valid API key in the x-api-key header.")

    def _remembered(self, access_id: str) -> Caller | None:
        until, caller = self._known.get(access_id, (0.0, None))
        return caller if self.monotonic() < until else None

    def _looked_up(self, access_id: str) -> Caller | None:
        item = self.client.get_item(TableName=self.table, Key=to_item({"access_id": access_id})).get("Item")
        if item is None:
            self._known.pop(access_id, None)
            return None
        values = from_item(item)
        caller = Caller(user=str(values["user"]), role=str(values["role"]))
        if len(self._known) >= CACHED_KEYS:
            self._known.clear()
        self._known[access_id] = (self.monotonic() + CACHE_SECONDS, caller)
        return caller

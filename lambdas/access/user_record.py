"""Reads the rows of users and of their keys."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from generate_on_cloud.contract.access import ADMIN, Permission, Quotas
from lambdas.aws.rows import timestamp

YOUNG_SESSION = timedelta(hours=1)
"""How long a session may create keys that outlive it."""


@dataclass(frozen=True)
class UserRecord:
    name: str
    role: str
    created_at: datetime
    created_by: str
    quotas: Quotas = field(default_factory=Quotas)
    key_ids: frozenset[str] = frozenset()
    """Of all keys, sessions included."""
    session_ids: frozenset[str] = frozenset()
    default_endpoint: str | None = None
    """Full name of the endpoint for jobs that name none."""
    trusted: tuple[str, ...] = ()
    """Users whose model files may act on this one's jobs without being named."""
    webhook_secrets: tuple[str, ...] = ()
    """Newest first; at most two."""
    disabled: bool = False
    """Their keys are refused."""
    version: int = 0
    deleted: bool = False

    @property
    def counts_in_role(self) -> bool:
        """Whether the count of their role's users includes them: of administrators it counts those who can act."""
        return not (self.disabled and self.role == ADMIN)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "UserRecord":
        return cls(
            name=row["access_id"].removeprefix("user#"),
            role=row["role"],
            created_at=datetime.fromisoformat(row["created_at"]),
            created_by=row["created_by"],
            quotas=Quotas.model_validate(row.get("quotas", {})),
            key_ids=frozenset(row.get("key_ids", ())),
            session_ids=frozenset(row.get("session_ids", ())),
            default_endpoint=row.get("default_endpoint") or None,
            trusted=tuple(row.get("trusted", ())),
            webhook_secrets=tuple(row.get("webhook_secrets", ())),
            disabled=bool(row.get("disabled", False)),
            version=int(row["version"]),
            deleted="listing" not in row,
        )


@dataclass(frozen=True)
class Session:
    """What a key has besides if somebody signed in with another key or a code and got it."""

    since: datetime
    made_with: str | None
    """Id of the key that it ends with; None: an administrator's invitation."""
    keys_until: datetime | None
    """How long keys may last that it creates while it is young; None: forever."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Session | None":
        if "session" not in row:
            return None
        found = row["session"]
        since = datetime.fromisoformat(found["since"])
        return cls(since, found.get("made_with"), moment(found.get("keys_until")))

    def is_young(self, now: datetime) -> bool:
        """Whether its key may still create what outlives it."""
        return now < self.since + YOUNG_SESSION

    def stored(self) -> dict[str, object]:
        """The attribute `session` of the key's row."""
        values = {
            "since": timestamp(self.since),
            "made_with": self.made_with,
            "keys_until": whole_seconds(self.keys_until),
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class KeyRecord:
    key_id: str
    user: str
    label: str
    permissions: frozenset[Permission] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    session: Session | None = None
    """Set for a session's key."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "KeyRecord":
        return cls(
            key_id=row["access_id"].removeprefix("key#"),
            user=row["user"],
            label=row.get("label", ""),
            permissions=frozenset(map(Permission, row["permissions"])) if "permissions" in row else None,
            created_at=datetime.fromisoformat(row["created_at"]),
            created_by=row.get("created_by", "deployment"),
            expires_at=moment(row.get("expires_at")),
            session=Session.from_row(row),
        )


def moment(seconds: object) -> datetime | None:
    """A row's whole seconds since 1970 as a time."""
    return None if seconds is None else datetime.fromtimestamp(int(str(seconds)), UTC)


def whole_seconds(at: datetime | None) -> int | None:
    """The inverse of `moment`, rounded up."""
    return None if at is None else math.ceil(at.timestamp())


def key_row(key_id: str) -> dict[str, object]:
    """The key of a key's row."""
    return {"access_id": f"key#{key_id}"}


def user_row_id(name: str) -> str:
    return f"user#{name}"

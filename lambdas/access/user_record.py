"""Reads the rows of users and of their keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from generate_on_cloud.contract.access import Permission, Quotas


@dataclass(frozen=True)
class UserRecord:
    name: str
    role: str
    created_at: datetime
    created_by: str
    quotas: Quotas = field(default_factory=Quotas)
    key_ids: frozenset[str] = frozenset()
    default_endpoint: str | None = None
    """Full name of the endpoint for jobs that name none."""
    trusted: tuple[str, ...] = ()
    """Users whose model files may act on this one's jobs without being named."""
    webhook_secrets: tuple[str, ...] = ()
    """Newest first; at most two."""
    version: int = 0
    deleted: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "UserRecord":
        return cls(
            name=row["access_id"].removeprefix("user#"),
            role=row["role"],
            created_at=datetime.fromisoformat(row["created_at"]),
            created_by=row["created_by"],
            quotas=Quotas.model_validate(row.get("quotas", {})),
            key_ids=frozenset(row.get("key_ids", ())),
            default_endpoint=row.get("default_endpoint") or None,
            trusted=tuple(row.get("trusted", ())),
            webhook_secrets=tuple(row.get("webhook_secrets", ())),
            version=int(row["version"]),
            deleted="listing" not in row,
        )


@dataclass(frozen=True)
class KeyRecord:
    key_id: str
    user: str
    label: str
    permissions: frozenset[Permission] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "KeyRecord":
        return cls(
            key_id=row["access_id"].removeprefix("key#"),
            user=row["user"],
            label=row.get("label", ""),
            permissions=frozenset(map(Permission, row["permissions"])) if "permissions" in row else None,
            created_at=datetime.fromisoformat(row["created_at"]),
            created_by=row.get("created_by", "deployment"),
            expires_at=datetime.fromtimestamp(int(row["expires_at"]), UTC) if "expires_at" in row else None,
        )


def user_row_id(name: str) -> str:
    return f"user#{name}"

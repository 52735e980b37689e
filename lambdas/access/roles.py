"""Roles: those built in and those made here, each a set of permissions with quotas."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from generate_on_cloud.contract.access import ADMIN, BUILT_IN_ROLES, Permission, Quotas
from generate_on_cloud.contract.accounts import NAME_PATTERN
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import role_row_id
from lambdas.access.table import AccessTable
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import Action, Condition, timestamp
from lambdas.problems import ProblemError

ROLE_EXISTS = "the role exists"
ADMIN_REMAINS = "another admin remains"
_NEW = "a new role"
_UNCHANGED = "the role as it was read"
_UNUSED = "a role nobody has"
_COUNTED = "a role whose users are counted"


@dataclass(frozen=True)
class RoleRecord:
    name: str
    permissions: frozenset[Permission]
    quotas: Quotas = field(default_factory=Quotas)
    built_in: bool = False
    created_at: datetime | None = None
    created_by: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "RoleRecord":
        return cls(
            name=row["place"],
            permissions=frozenset(Permission(value) for value in row["permissions"]),
            quotas=Quotas.model_validate(row.get("quotas", {})),
            created_at=datetime.fromisoformat(row["created_at"]),
            created_by=row["created_by"],
        )


@dataclass(frozen=True)
class RoleStore:
    access: AccessTable

    def get(self, name: str) -> RoleRecord | None:
        if name in BUILT_IN_ROLES:
            return RoleRecord(name, BUILT_IN_ROLES[name], built_in=True)
        row = self.access.get(role_row_id(name)) if re.fullmatch(NAME_PATTERN, name) else None
        return RoleRecord.from_row(row) if row and "permissions" in row else None

    def require(self, name: str) -> RoleRecord:
        """The role.

        Raises:
            ProblemError: `not_found`.
        """
        role = self.get(name)
        if role is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"There is no role {name[:100]!r}.")
        return role

    def page(self, *, limit: int, cursor: str | None, signer: CursorSigner) -> tuple[list[RoleRecord], str | None]:
        """Roles by name; those built in begin the first page, beside its `limit`."""
        rows, following = self.access.page("roles", limit=limit, cursor=cursor, signer=signer)
        first = [RoleRecord(name, held, built_in=True) for name, held in BUILT_IN_ROLES.items()] if not cursor else []
        return [*first, *map(RoleRecord.from_row, rows)], following

    def add(self, role: RoleRecord, *, now: datetime) -> None:
        """Keep a new role.

        Raises:
            ProblemError: `name_taken`.
        """
        row = {
            "access_id": role_row_id(role.name),
            "listing": "roles",
            "place": role.name,
            "permissions": sorted(role.permissions),
            "quotas": role.quotas.model_dump(exclude_none=True),
            "user_count": 0,
            "created_at": timestamp(now),
            "created_by": role.created_by,
        }
        if role.name in BUILT_IN_ROLES or self.access.write([self.access.put_new(row, condition=_NEW)]):
            raise ProblemError(ProblemCode.NAME_TAKEN, f"There is a role {role.name!r}.")

    def change(self, role: RoleRecord, *, permissions: frozenset[Permission], quotas: Quotas) -> bool:
        """Replace what a role gives; False when it is not as it was read any more."""
        values = {
            ":permissions": sorted(permissions),
            ":quotas": quotas.model_dump(exclude_none=True),
            ":seen": sorted(role.permissions),
        }
        change = self.access.update(
            role_row_id(role.name),
            "SET #permissions = :permissions, #quotas = :quotas",
            values,
            condition=Condition(_UNCHANGED, "#permissions = :seen"),
            names=["permissions", "quotas"],
        )
        return not self.access.write([change])

    def remove(self, role: RoleRecord) -> None:
        """Forget a role nobody has.

        Raises:
            ProblemError: `role_in_use`.
        """
        unused = Condition(_UNUSED, "user_count = :none")
        deletion = self.access.delete(role_row_id(role.name), {":none": 0}, condition=unused)
        if self.access.write([deletion]):
            detail = f"Users have the role {role.name!r}; give them another one first (GET /v1/users lists them)."
            raise ProblemError(ProblemCode.ROLE_IN_USE, detail)

    def joined(self, name: str) -> list[Action]:
        """What a transaction that gives a user this role must also do; ROLE_EXISTS is refused when the role is gone."""
        if name in BUILT_IN_ROLES and name != ADMIN:
            return []
        condition = None if name == ADMIN else Condition(ROLE_EXISTS, "attribute_exists(#permissions)")
        names = ["user_count"] if condition is None else ["user_count", "permissions"]
        add = self.access.update(
            role_row_id(name), "ADD #user_count :one", {":one": 1}, condition=condition, names=names
        )
        return [add]

    def left(self, name: str) -> list[Action]:
        """What a transaction that takes this role from a user must also do; the last admin is refused ADMIN_REMAINS."""
        if name in BUILT_IN_ROLES and name != ADMIN:
            return []
        values, condition = {":less": -1}, Condition(_COUNTED, "attribute_exists(access_id)")
        if name == ADMIN:
            values[":least"] = 1
            condition = Condition(ADMIN_REMAINS, "#user_count > :least")
        return [
            self.access.update(
                role_row_id(name), "ADD #user_count :less", values, condition=condition, names=["user_count"]
            )
        ]

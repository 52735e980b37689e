"""Roles, built in or created through the API, each with permissions and quotas."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from generate_on_cloud.contract.access import ADMIN, BUILT_IN_ROLES, Permission, Quotas
from generate_on_cloud.contract.accounts import NAME_PATTERN
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import role_row_id
from lambdas.access.table import AccessTable
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import Action, Condition, PutNew, Update, timestamp
from lambdas.problems import ProblemError

ROLE_EXISTS = "the role exists"
ADMIN_REMAINS = "another admin remains"
_NEW = "a new role"
_UNCHANGED = "the role as it was read"
_UNUSED = "no user has the role"
_COUNTED = "a role whose users are counted"


@dataclass(frozen=True)
class RoleRecord:
    name: str
    permissions: frozenset[Permission]
    quotas: Quotas = field(default_factory=Quotas)
    assets: frozenset[str] | None = None
    """The model files that its users may use besides their own; None: all that are for them."""
    built_in: bool = False
    created_at: datetime | None = None
    created_by: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "RoleRecord":
        return cls(
            name=row["place"],
            permissions=frozenset(Permission(value) for value in row["permissions"]),
            quotas=Quotas.model_validate(row.get("quotas", {})),
            assets=frozenset(row["assets"]) if "assets" in row else None,
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
            raise ProblemError(ProblemCode.NOT_FOUND, f"The role {name[:100]!r} does not exist.")
        return role

    def page(self, *, limit: int, cursor: str | None, signer: CursorSigner) -> tuple[list[RoleRecord], str | None]:
        """Roles by name; the first page also has the built-in ones, which do not count towards `limit`."""
        rows, following = self.access.page("roles", limit=limit, cursor=cursor, signer=signer)
        first = [RoleRecord(name, held, built_in=True) for name, held in BUILT_IN_ROLES.items()] if not cursor else []
        return [*first, *map(RoleRecord.from_row, rows)], following

    def add(self, role: RoleRecord, *, now: datetime) -> None:
        """Add a new role.

        Raises:
            ProblemError: `name_taken`.
        """
        row = {
            "listing": "roles",
            "place": role.name,
            "permissions": sorted(role.permissions),
            "quotas": role.quotas.model_dump(exclude_none=True),
            "assets": None if role.assets is None else sorted(role.assets),
            "user_count": 0,
            "created_at": timestamp(now),
            "created_by": role.created_by,
        }
        addition = PutNew(table=self.access.table, key=_key(role.name), row=row, absent=_NEW)
        taken = self.access.taking_name("role", role.name, role_row_id(role.name.lower()), absent=_NEW)
        if role.name.lower() in BUILT_IN_ROLES or self.access.write([addition, *taken]):
            detail = (
                f"A role {role.name!r}, perhaps in other letter case, exists or existed; names of deleted roles cannot "
                "be used again, because files and endpoints may be reserved for them."
            )
            raise ProblemError(ProblemCode.NAME_TAKEN, detail)

    def change(self, role: RoleRecord, new: RoleRecord) -> bool:
        """Replace a role's permissions, quotas and list of files; False if it is no longer as it was read."""
        values: dict[str, object] = {
            ":permissions": sorted(new.permissions),
            ":quotas": new.quotas.model_dump(exclude_none=True),
            ":seen": sorted(role.permissions),
        }
        if new.assets is not None:
            values[":assets"] = sorted(new.assets)
        listed = " REMOVE #assets" if new.assets is None else ", #assets = :assets"
        change = Update(
            table=self.access.table,
            key=_key(role.name),
            expression=f"SET #permissions = :permissions, #quotas = :quotas{listed}",
            values=values,
            condition=Condition(_UNCHANGED, "#permissions = :seen"),
            names=["permissions", "quotas", "assets"],
        )
        return not self.access.write([change])

    def remove(self, role: RoleRecord) -> None:
        """Delete a role that no user has; a row remains so that the name stays taken.

        Raises:
            ProblemError: `role_in_use`.
        """
        deletion = Update(
            table=self.access.table,
            key=_key(role.name),
            expression="REMOVE #permissions, #quotas, #assets, #listing, #place",
            values={":none": 0},
            condition=Condition(_UNUSED, "user_count = :none"),
            names=["permissions", "quotas", "assets", "listing", "place"],
        )
        if self.access.write([deletion]):
            detail = f"Some users have the role {role.name!r}; give them another one first (GET /v1/users lists them)."
            raise ProblemError(ProblemCode.ROLE_IN_USE, detail)

    def joined(self, name: str) -> list[Action]:
        """Further actions of a transaction that gives a user this role; ROLE_EXISTS fails if it no longer exists."""
        if name in BUILT_IN_ROLES and name != ADMIN:
            return []
        condition = None if name == ADMIN else Condition(ROLE_EXISTS, "attribute_exists(#permissions)")
        return [self._count(name, {":more": 1}, condition, names=() if name == ADMIN else ("permissions",))]

    def left(self, name: str) -> list[Action]:
        """Further actions of a transaction that takes this role from a user; ADMIN_REMAINS fails for the last admin."""
        if name in BUILT_IN_ROLES and name != ADMIN:
            return []
        if name == ADMIN:
            return [self._count(name, {":more": -1, ":least": 1}, Condition(ADMIN_REMAINS, "#user_count > :least"))]
        return [self._count(name, {":more": -1}, Condition(_COUNTED, "attribute_exists(access_id)"))]

    def _count(
        self, name: str, values: Mapping[str, object], condition: Condition | None, *, names: Sequence[str] = ()
    ) -> Action:
        return Update(
            table=self.access.table,
            key=_key(name),
            expression="ADD #user_count :more",
            values=values,
            condition=condition,
            names=["user_count", *names],
        )


def _key(name: str) -> dict[str, object]:
    return {"access_id": role_row_id(name)}

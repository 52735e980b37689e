"""One-time codes that a session is opened with instead of a key: stored by their hash, used up by one transaction.

code#SHA256   `user`, `permissions`, `made_with`, `ends`, `keys_until`, `created_by`, `expires_at`
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.table import AccessTable
from lambdas.access.user_record import key_row, moment, whole_seconds
from lambdas.aws.rows import Action, Check, Condition, Delete, to_item
from lambdas.problems import ProblemError

CODE_PREFIX: Final = "code_"
_UNUSED: Final = "a code that nobody used"
_MAKER_THERE: Final = "the key that the code was made with"


@dataclass(frozen=True, kw_only=True)
class SessionCode:
    """Whom a code signs in, and with what."""

    user: str
    permissions: frozenset[Permission] | None
    """What the session is limited to; None: everything the user's role grants, now and later."""
    expires_at: datetime
    """The code's own end."""
    ends: datetime | None
    """When the session ends at the latest."""
    keys_until: datetime | None
    """How long keys may last that the session creates."""
    created_by: str
    made_with: str
    """Id of the key that made it; revoking that key also voids the code."""


@dataclass(frozen=True)
class SessionCodes:
    access: AccessTable

    def add(self, code: SessionCode) -> str:
        """Store a new code of 256 random bits by its hash; returns the code itself. One call."""
        text = CODE_PREFIX + secrets.token_urlsafe(32)
        row = {
            "access_id": _row_id(text),
            "user": code.user,
            "permissions": None if code.permissions is None else sorted(code.permissions),
            "expires_at": whole_seconds(code.expires_at),
            "ends": whole_seconds(code.ends),
            "keys_until": whole_seconds(code.keys_until),
            "created_by": code.created_by,
            "made_with": code.made_with,
        }
        self.access.client.put_item(TableName=self.access.table, Item=to_item(row))
        return text

    def read(self, text: str, *, now: datetime) -> SessionCode:
        """What this code gives; one call, and it is not used up.

        Raises:
            ProblemError: `unauthorized`, with the same text for a wrong, a used and an expired code.
        """
        row = self.access.get(_row_id(text))
        expires_at = moment(row["expires_at"]) if row else None
        if row is None or expires_at is None or expires_at <= now:
            raise _refused()
        return SessionCode(
            user=row["user"],
            permissions=frozenset(map(Permission, row["permissions"])) if "permissions" in row else None,
            expires_at=expires_at,
            ends=moment(row.get("ends")),
            keys_until=moment(row.get("keys_until")),
            created_by=row["created_by"],
            made_with=row["made_with"],
        )

    def use(self, text: str, code: SessionCode) -> tuple[list[Action], dict[str, ProblemError]]:
        """Actions that use the code up in the transaction of its session, and what to raise if one is refused."""
        there = "attribute_exists(access_id)"
        used = Delete(table=self.access.table, key={"access_id": _row_id(text)}, condition=Condition(_UNUSED, there))
        maker = Check(table=self.access.table, key=key_row(code.made_with), condition=Condition(_MAKER_THERE, there))
        return [used, maker], {_UNUSED: _refused(), _MAKER_THERE: _refused()}


def _row_id(text: str) -> str:
    return f"code#{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _refused() -> ProblemError:
    return ProblemError(ProblemCode.UNAUTHORIZED, "The code is wrong, was used or has expired; ask for a new one.")

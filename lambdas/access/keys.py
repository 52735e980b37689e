"""The keys of users, among them those of sessions; each changes together with the user's row that names it."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import key_row_id
from lambdas.access.user_record import KeyRecord, Session, UserRecord, key_row, whole_seconds
from lambdas.access.users import UserStore
from lambdas.aws.rows import Action, Check, Condition, Delete, PutNew, timestamp
from lambdas.problems import ProblemError

KEY_PREFIX: Final = "goc_"
MAX_KEYS: Final = 20
"""Maximum number of keys per user, sessions aside."""
MAX_SESSIONS: Final = 20
"""Maximum number of sessions per user; a further one ends the oldest."""
_NEW_KEY: Final = "a new key"
_MAKER_THERE: Final = "the key that makes another one"


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """What to create a key from."""

    user: str
    label: str
    permissions: frozenset[Permission] | None
    """What it is limited to; None: everything its user's role grants, now and later."""
    expires_at: datetime | None
    created_by: str
    now: datetime


@dataclass(frozen=True)
class KeyStore:
    users: UserStore

    def of(self, name: str) -> list[KeyRecord]:
        """A user's keys and sessions, oldest first; two calls.

        Raises:
            ProblemError: `not_found`.
        """
        keys = self._records(self.users.require(name).key_ids)
        return sorted(keys, key=lambda key: (key.created_at, key.key_id))

    def get(self, key_id: str) -> KeyRecord | None:
        row = self.users.access.get(f"key#{key_id}") if re.fullmatch("[0-9a-f]{64}", key_id) else None
        return None if row is None else KeyRecord.from_row(row)

    def add(self, new: NewKey, *, made_with: str | None, check: Callable[[UserRecord], None]) -> tuple[KeyRecord, str]:
        """Create a 256-bit key; returns its record and the key itself, which is stored nowhere.

        `made_with`: id of the key that asks for it.

        Raises:
            ProblemError: `not_found`, `too_many_keys`, `unauthorized` if that key was revoked a moment ago, or what
                `check` raises.
        """
        record, row, key = _made(new)

        def plan(user: UserRecord) -> tuple[str, dict[str, object], list[Action]]:
            check(user)
            held = len(user.key_ids - user.session_ids)
            if held >= MAX_KEYS:
                detail = f"The user {user.name!r} has {held} keys; allowed: {MAX_KEYS}. Revoke one first."
                raise ProblemError(ProblemCode.TOO_MANY_KEYS, detail)
            return "ADD #key_ids :key_ids", {":key_ids": {record.key_id}}, [self._addition(user, row), *guards]

        guards, refusals = self.maker_there(made_with)
        self.users.change_row(new.user, plan, names=["key_ids"], refusals=refusals)
        return record, key

    def add_session(
        self,
        new: NewKey,
        session: Session,
        *,
        guards: Sequence[Action] = (),
        refusals: Mapping[str, ProblemError] = MappingProxyType({}),
    ) -> tuple[KeyRecord, str]:
        """As `add`, a key that is a session; the oldest of too many ends in the same transaction.

        `guards`: further actions, with what to raise by the names of their conditions.

        Raises:
            ProblemError: `not_found`, or one of `refusals`.
        """
        record, row, key = _made(new)
        record, row["session"] = replace(record, session=session), session.stored()

        def plan(user: UserRecord) -> tuple[str, dict[str, object], list[Action]]:
            names = {record.key_id}
            values: dict[str, object] = {":key_ids": names}
            actions = [self._addition(user, row), *guards]
            if len(user.session_ids) < MAX_SESSIONS:
                return "ADD #key_ids :key_ids, #session_ids :key_ids", values, actions
            # A transaction names a row once, so what the guards check stays.
            guarded = {str(action.key["access_id"]).removeprefix("key#") for action in guards}
            others = [each for each in self._records(user.session_ids) if each.key_id not in guarded]
            oldest = sorted(others, key=lambda key: (key.created_at, key.key_id))
            ended = {key.key_id for key in oldest[: len(user.session_ids) - MAX_SESSIONS + 1]}
            kept: dict[str, object] = {
                ":key_ids": (user.key_ids | names) - ended,
                ":session_ids": (user.session_ids | names) - ended,
            }
            actions += [self._deletion(key_id) for key_id in sorted(ended)]
            return "SET #key_ids = :key_ids, #session_ids = :session_ids", kept, actions

        self.users.change_row(new.user, plan, names=["key_ids", "session_ids"], refusals=refusals)
        return record, key

    def remove(self, key: KeyRecord) -> None:
        """Revoke a key and the sessions that were made with it; does nothing if it no longer exists.

        Raises:
            ProblemError: `last_admin`.
        """

        def plan(user: UserRecord) -> tuple[str, dict[str, object], list[Action]]:
            sessions = [each for each in self._records(user.session_ids) if each.session]
            made = {each.key_id for each in sessions if each.session and each.session.made_with == key.key_id}
            gone = {key.key_id, *made}
            others = [self._deletion(key_id) for key_id in sorted(gone)]
            others += self.users.lasting.taken(user, [key.key_id])
            return "DELETE #key_ids :key_ids, #session_ids :key_ids", {":key_ids": gone}, others

        self.users.change_row(key.user, plan, names=["key_ids", "session_ids"])

    def maker_there(self, key_id: str | None) -> tuple[list[Action], dict[str, ProblemError]]:
        """A check that this key still exists, which functions may remember for a minute more, and its refusal."""
        if key_id is None:
            return [], {}
        there = Condition(_MAKER_THERE, "attribute_exists(access_id)")
        refused = ProblemError(ProblemCode.UNAUTHORIZED, "The key that you use was revoked.")
        return [Check(table=self.users.access.table, key=key_row(key_id), condition=there)], {_MAKER_THERE: refused}

    def _records(self, key_ids: frozenset[str]) -> list[KeyRecord]:
        rows = self.users.access.rows([f"key#{key_id}" for key_id in key_ids]) if key_ids else []
        return [KeyRecord.from_row(row) for row in rows]

    def _addition(self, user: UserRecord, row: Mapping[str, object]) -> Action:
        copied = {
            "user": user.name,
            "role": user.role,
            "quotas": user.quotas.model_dump(exclude_none=True),
            "default_endpoint": user.default_endpoint,
            "trusted": list(user.trusted),
            "disabled": user.disabled,
        }
        key = {"access_id": row["access_id"]}
        return PutNew(table=self.users.access.table, key=key, row={**row, **copied}, absent=_NEW_KEY)

    def _deletion(self, key_id: str) -> Action:
        return Delete(table=self.users.access.table, key=key_row(key_id))


def _made(new: NewKey) -> tuple[KeyRecord, dict[str, object], str]:
    """The record and the row of a new key, still without its user's values, and the key itself."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    access_id = key_row_id(key)
    row: dict[str, object] = {
        "access_id": access_id,
        "label": new.label,
        "permissions": None if new.permissions is None else sorted(new.permissions),
        "created_at": timestamp(new.now),
        "created_by": new.created_by,
        "expires_at": whole_seconds(new.expires_at),
    }
    key_id = access_id.removeprefix("key#")
    return KeyRecord(key_id, new.user, new.label, new.permissions, new.now, new.created_by, new.expires_at), row, key

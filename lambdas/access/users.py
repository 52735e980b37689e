"""Users: a user's row names its keys, which have copies of what counts at a request; all change together."""

import base64
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from generate_on_cloud.contract.access import ADMIN
from generate_on_cloud.contract.accounts import NAME_PATTERN
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.webhooks import SECRET_BYTES, SECRET_PREFIX
from lambdas.access.lasting_keys import LASTING_SEEN, LastingKeys
from lambdas.access.preferences import preferences_id
from lambdas.access.roles import ADMIN_REMAINS, ROLE_EXISTS, RoleStore
from lambdas.access.table import AccessTable, overtaken
from lambdas.access.user_record import UserRecord, key_row, user_row_id
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import Action, Condition, Delete, PutNew, Update, timestamp
from lambdas.problems import ProblemError

_RACES = 5
_NEW_NAME = "a name that was never used"
_SEEN = "the user as it was read"
_KEY_THERE = "every key of the user"

Plan = Callable[[UserRecord], tuple[str, dict[str, object], list[Action]]]
"""What to do with a user's row, as an update expression and its values, and with other rows at the same time."""


@dataclass(frozen=True)
class UserStore:
    """Each change applies to the user as it was read; if it was changed meanwhile, it is read and changed again."""

    access: AccessTable
    roles: RoleStore

    @property
    def lasting(self) -> LastingKeys:
        return LastingKeys(self.access)

    def get(self, name: str) -> UserRecord | None:
        row = self.access.get(user_row_id(name)) if re.fullmatch(NAME_PATTERN, name) else None
        user = None if row is None else UserRecord.from_row(row)
        return None if user is None or user.deleted else user

    def require(self, name: str) -> UserRecord:
        """The user.

        Raises:
            ProblemError: `not_found`.
        """
        user = self.get(name)
        if user is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"The user {name[:100]!r} does not exist.")
        return user

    def page(self, *, limit: int, cursor: str | None, signer: CursorSigner) -> tuple[list[UserRecord], str | None]:
        """Users by name."""
        rows, following = self.access.page("users", limit=limit, cursor=cursor, signer=signer)
        return [UserRecord.from_row(row) for row in rows], following

    def add(self, user: UserRecord) -> None:
        """Add a new user. A name is never used again, because jobs and assets belong to names.

        Raises:
            ProblemError: `name_taken`; `not_found` if the role no longer exists.
        """
        row = {
            "access_id": user_row_id(user.name),
            "listing": "users",
            "place": user.name,
            "role": user.role,
            "quotas": user.quotas.model_dump(exclude_none=True),
            "created_at": timestamp(user.created_at),
            "created_by": user.created_by,
            "default_endpoint": user.default_endpoint,
            "version": 0,
        }
        taken = self.access.taking_name("user", user.name, user_row_id(user.name.lower()), absent=_NEW_NAME)
        refused = self.access.write([self._put_new(row, absent=_NEW_NAME), *taken, *self.roles.joined(user.role)])
        if _NEW_NAME in refused:
            detail = (
                f"A user {user.name!r}, perhaps in other letter case, exists or existed; names of deleted users cannot "
                "be used again."
            )
            raise ProblemError(ProblemCode.NAME_TAKEN, detail)
        if ROLE_EXISTS in refused:
            raise _role_gone()

    def change(self, name: str, changed: Callable[[UserRecord], UserRecord]) -> UserRecord:
        """Change a user's role, quotas, default endpoint (empty: none) and `disabled`, in all their keys at once.

        `changed` gets the user as it was read and gives it as it should be; it raises what forbids the change.

        Raises:
            ProblemError: `not_found`, `last_admin`, or what `changed` raises.
        """

        def plan(user: UserRecord) -> tuple[str, dict[str, object], list[Action]]:
            new = changed(user)
            values = {
                "role": new.role,
                "quotas": new.quotas.model_dump(exclude_none=True),
                "default_endpoint": new.default_endpoint or "",
                "disabled": new.disabled,
            }
            expression, named, copies = self._set_everywhere(user, values)
            return expression, named, [*copies, *self._moves(user, new)]

        refusals = {ADMIN_REMAINS: _last_admin(name), ROLE_EXISTS: _role_gone()}
        self.change_row(name, plan, names=["role", "quotas", "default_endpoint", "disabled"], refusals=refusals)
        return self.require(name)

    def _moves(self, old: UserRecord, new: UserRecord) -> list[Action]:
        """What changes in the counts of roles' users; an administrator who is disabled does not count as one."""
        if (old.role, old.counts_in_role) == (new.role, new.counts_in_role):
            return []
        left = [*self.lasting.taken(old, old.key_ids), *self.roles.left(old.role)] if old.counts_in_role else []
        return [*left, *(self.roles.joined(new.role) if new.counts_in_role else ())]

    def prefer(self, name: str, values: Mapping[str, object]) -> None:
        """Set what a user chooses for themselves, in all their keys at once: `default_endpoint`, `trusted`.

        `default_endpoint` is a full name, empty for the least loaded endpoint.

        Raises:
            ProblemError: `not_found`.
        """
        self.change_row(name, lambda user: self._set_everywhere(user, values), names=list(values))

    def _set_everywhere(
        self, user: UserRecord, values: Mapping[str, object]
    ) -> tuple[str, dict[str, object], list[Action]]:
        """Change the user's own row (expression and values) and the row of each key in the same way."""
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        named = {f":{name}": value for name, value in values.items()}
        there = Condition(_KEY_THERE, "attribute_exists(access_id)")
        copies: list[Action] = [
            Update(
                table=self.access.table,
                key=key_row(key_id),
                expression=expression,
                values=named,
                condition=there,
                names=list(values),
            )
            for key_id in sorted(user.key_ids)
        ]
        return expression, named, copies

    def remove(self, name: str, *, check: Callable[[UserRecord], None]) -> None:
        """Delete a user and all keys; a row remains so that the name stays taken.

        Raises:
            ProblemError: `not_found`, `last_admin`, or what `check` raises.
        """

        def plan(user: UserRecord) -> tuple[str, dict[str, object], list[Action]]:
            check(user)
            keys = [Delete(table=self.access.table, key=key_row(key_id)) for key_id in sorted(user.key_ids)]
            moves = self.roles.left(user.role) if user.counts_in_role else []
            keys.append(Delete(table=self.access.table, key={"access_id": preferences_id(name)}))
            moves = [*self.lasting.taken(user, user.key_ids), *moves]
            return "REMOVE #listing, #key_ids, #session_ids, #webhook_secrets", {}, [*keys, *moves]

        names = ["listing", "key_ids", "session_ids", "webhook_secrets"]
        self.change_row(name, plan, names=names, refusals={ADMIN_REMAINS: _last_admin(name)})

    def rotate_webhook_secret(self, name: str, *, keep_previous: bool) -> list[str]:
        """Create a 256-bit secret for the user's webhooks; the previous one stays valid as well if `keep_previous`.

        Returns the valid secrets, the new one first.

        Raises:
            ProblemError: `not_found`.
        """
        valid = [SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()]

        def plan(user: UserRecord) -> tuple[str, dict[str, object], list[Action]]:
            valid[1:] = user.webhook_secrets[:1] if keep_previous else ()
            return "SET #webhook_secrets = :secrets", {":secrets": valid}, []

        self.change_row(name, plan, names=["webhook_secrets"])
        return valid

    def change_row(
        self,
        name: str,
        plan: Plan,
        *,
        names: Sequence[str],
        refusals: Mapping[str, ProblemError] = MappingProxyType({}),
    ) -> None:
        """Change a user's row, and others with it, as `plan` says for the user as it was read.

        `names`: the attributes that its expression has as `#name`; `refusals`: what to raise, by a condition's name.

        Raises:
            ProblemError: `not_found`, one of `refusals`, or what `plan` raises.
        """
        for _ in range(_RACES):
            user = self._without_expired_keys(self.require(name))
            expression, values, others = plan(user)
            refused = self.access.write([self._update(user, expression, values, names), *others])
            if not refused:
                return
            if refused & {_SEEN, _KEY_THERE, LASTING_SEEN}:
                continue  # the row that was planned for has changed
            for condition in refused & refusals.keys():
                raise refusals[condition]
        raise overtaken()

    def _update(self, seen: UserRecord, expression: str, values: Mapping[str, object], names: Sequence[str]) -> Action:
        """Change a user's row if it is as it was read; `expression` begins with SET, ADD, DELETE or REMOVE."""
        step = " ADD #version :one" if not expression.startswith("ADD") else ", #version :one"
        return Update(
            table=self.access.table,
            key={"access_id": user_row_id(seen.name)},
            expression=expression + step,
            values={**values, ":seen": seen.version, ":one": 1},
            condition=Condition(_SEEN, "#version = :seen"),
            names=[*names, "version"],
        )

    def _put_new(self, row: Mapping[str, object], *, absent: str) -> Action:
        return PutNew(table=self.access.table, key={"access_id": row["access_id"]}, row=row, absent=absent)

    def _without_expired_keys(self, user: UserRecord) -> UserRecord:
        """The user without keys whose rows have expired."""
        there = {row["access_id"].removeprefix("key#") for row in self.access.rows([f"key#{k}" for k in user.key_ids])}
        gone = user.key_ids - there
        if not gone:
            return user
        names = ["key_ids", "session_ids"]
        self.access.write(
            [self._update(user, "DELETE #key_ids :gone, #session_ids :gone", {":gone": set(gone)}, names)]
        )
        return self.require(user.name)


def _last_admin(name: str) -> ProblemError:
    return ProblemError(ProblemCode.LAST_ADMIN, f"{name!r} is the last user with the role {ADMIN!r}.")


def _role_gone() -> ProblemError:
    return ProblemError(ProblemCode.NOT_FOUND, "The role does not exist.")

"""Who is calling: the user, role and permissions behind an `x-api-key`, known only by the key's SHA-256."""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from generate_on_cloud.contract.access import BUILT_IN_ROLES, Permission, Quotas, allows
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.user_record import Session
from lambdas.aws.rows import from_item, to_item, utc_now
from lambdas.problems import ProblemError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CACHE_SECONDS = 60.0
CACHED_KEYS = 1000
FILES_SHOWN = 20
"""Entries of a role's list of files, in a refusal."""
COUNTED_AT_ONCE = 20
"""Requests of a key in one execution, of which the table then learns."""


class Shared(Protocol):
    """Something that may be reserved for some users and roles; if none are named, everyone may use it."""

    @property
    def owner(self) -> str: ...
    @property
    def users(self) -> Collection[str]: ...
    @property
    def roles(self) -> Collection[str]: ...


@dataclass(frozen=True)
class Caller:
    user: str
    role: str
    permissions: frozenset[Permission] = frozenset()
    """What the role grants and the key does not exclude."""
    role_exists: bool = True
    key_id: str | None = None
    key_expires_at: datetime | None = None
    key_permissions: frozenset[Permission] | None = None
    """What the key is limited to; None: everything its user's role grants, now and later."""
    session: Session | None = None
    """Set if the key is a session's."""
    disabled: bool = False
    """An administrator has locked the user out."""
    quotas: Quotas = field(default_factory=Quotas)
    default_endpoint: str | None = None
    """Where the user's jobs go that name no endpoint; None: to the least loaded."""
    trusted: frozenset[str] = frozenset()
    """Users whose model files may act on the user's jobs without being named."""
    assets: frozenset[str] | None = None
    """The model files that the role lets its users use besides their own; None: all that are for them."""

    @cached_property
    def allowed(self) -> frozenset[Permission]:
        """Everything the permissions allow: a permission for everyone's things includes one's own."""
        return frozenset(permission for permission in Permission if allows(self.permissions, permission))

    def may(self, permission: Permission) -> bool:
        return permission in self.allowed

    def may_see(self, owner: str, whole: Permission = Permission.INFERENCE_ALL) -> bool:
        """Whether `owner` is the caller, or the caller holds `whole`, the permission for everyone's."""
        return owner == self.user or self.may(whole)

    def may_use(self, thing: Shared, whole: Permission) -> bool:
        """Whether it is for everyone, the caller's own or reserved for them, or the caller holds `whole`."""
        meant_for_all = not (thing.users or thing.roles)
        named = self.user in thing.users or self.role in thing.roles
        return meant_for_all or named or self.may_see(thing.owner, whole)

    @property
    def listed_files(self) -> str:
        """What a refusal adds about the role's list of files; nothing if it has none."""
        if self.assets is None:
            return ""
        shown = ", ".join(sorted(self.assets)[:FILES_SHOWN]) or "nothing"
        more = f" and {len(self.assets) - FILES_SHOWN} more" if len(self.assets) > FILES_SHOWN else ""
        return f"; besides files of your own, your role {self.role!r} may use: {shown}{more}"

    @property
    def root_key_id(self) -> str | None:
        """The key that ends what this one makes: itself, or the one that its session was opened with."""
        return (self.session.made_with if self.session else None) or self.key_id

    def lends_until(self, now: datetime) -> datetime | None:
        """How long keys and sessions may last that this key creates; None: forever.

        A session that is no longer young creates nothing that outlives it.
        """
        if self.session is not None and self.session.is_young(now):
            return self.session.keys_until
        return self.key_expires_at

    def require(self, permission: Permission) -> None:
        """Check that the caller has the permission.

        Raises:
            ProblemError: `forbidden`; it names the permission.
        """
        if self.may(permission):
            return
        if not self.role_exists:
            detail = f"The role {self.role!r} of the user {self.user!r} no longer exists; ask an admin for another one."
        else:
            held = ", ".join(sorted(self.permissions)) or "none"
            detail = f"This needs the permission {permission}; your key (user {self.user!r}) has: {held}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)


def require_enabled(user: str, *, disabled: bool) -> None:
    """Check that the user is not locked out.

    Raises:
        ProblemError: `forbidden`.
    """
    if disabled:
        detail = f"The user {user!r} is disabled; an administrator can enable it: PATCH /v1/users/{user}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)


def key_row_id(key: str) -> str:
    """`access_id` of the row for `key`."""
    return f"key#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def role_row_id(name: str) -> str:
    return f"role#{name}"


@dataclass
class AccessStore:
    """Looks up keys in the access table; a change to a key, user or role takes effect within CACHE_SECONDS.

    One call per key and minute, and another one if the role is not built in.
    """

    client: "DynamoDBClient"
    table: str
    requests_per_minute: int = 600
    """With one key."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds from a clock that never goes back."""
    now: Callable[[], datetime] = utc_now
    _known: dict[str, tuple[float, Caller]] = field(default_factory=dict)
    _uncounted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By key: the minute, and the requests in it that the table does not know yet."""
    _refused: dict[str, int] = field(default_factory=dict)
    """By key: the minute in which it has made too many."""

    def caller_with(self, key: str | None) -> Caller:
        """The caller to whom this key belongs.

        Raises:
            ProblemError: `unauthorized`, with the same text for a missing, a wrong and an expired key; `forbidden`,
                the user is disabled; `too_many_requests`, the key has made too many this minute.
        """
        if key:
            access_id = key_row_id(key)
            caller = self._remembered(access_id) or self._looked_up(access_id)
            if caller is not None and (caller.key_expires_at is None or self.now() < caller.key_expires_at):
                self._count(access_id)
                require_enabled(caller.user, disabled=caller.disabled)
                return caller
        raise ProblemError(ProblemCode.UNAUTHORIZED, "Send a valid API key in the x-api-key header.")

    def forget_user(self, user: str) -> None:
        """Look up this user's keys again at their next call; other functions still remember them for up to a minute."""
        for access_id in [known for known, (_, caller) in self._known.items() if caller.user == user]:
            del self._known[access_id]

    def _count(self, access_id: str) -> None:
        """Count a request; the table, which all executions share, gets every COUNTED_AT_ONCE of them: one call.

        Raises:
            ProblemError: `too_many_requests`.
        """
        minute, rest = divmod(int(self.now().timestamp()), 60)
        at, uncounted = self._uncounted.get(access_id, (minute, 0))
        uncounted = uncounted + 1 if at == minute else 1
        if uncounted >= COUNTED_AT_ONCE:
            if self._counted(access_id, minute, uncounted) > self.requests_per_minute:
                self._refused[access_id] = minute
            uncounted = 0
        self._uncounted[access_id] = (minute, uncounted)
        if self._refused.get(access_id) == minute:
            detail = f"Your key has made more than {self.requests_per_minute} requests in this minute."
            limits = {
                "RateLimit-Policy": f'"requests";q={self.requests_per_minute};w=60',
                "RateLimit": f'"requests";r=0;t={60 - rest}',
            }
            raise ProblemError(ProblemCode.TOO_MANY_REQUESTS, detail, retry_after=60 - rest, headers=limits)

    def _counted(self, access_id: str, minute: int, more: int) -> int:
        """How many requests of the key this minute all executions have counted, with these."""
        answer = self.client.update_item(
            TableName=self.table,
            Key=to_item({"access_id": f"rate#{access_id.removeprefix('key#')}#{minute}"}),
            UpdateExpression="SET expires_at = :ends ADD requests :more",
            ExpressionAttributeValues=to_item({":ends": 60 * (minute + 10), ":more": more}),
            ReturnValues="UPDATED_NEW",
        )
        return int(from_item(answer["Attributes"])["requests"])

    def _remembered(self, access_id: str) -> Caller | None:
        until, caller = self._known.get(access_id, (0.0, None))
        return caller if self.monotonic() < until else None

    def _looked_up(self, access_id: str) -> Caller | None:
        # Timed before the first read: a change between the two reads is then seen after one minute, not two.
        until = self.monotonic() + CACHE_SECONDS
        row = self._row(access_id)
        if row is None:
            self._known.pop(access_id, None)
            return None
        caller = self._caller(row)
        if len(self._known) >= CACHED_KEYS:
            self._known.clear()
        self._known[access_id] = (until, caller)
        return caller

    def _caller(self, row: Mapping[str, Any]) -> Caller:
        role = str(row["role"])
        quotas = Quotas.model_validate(row.get("quotas", {}))
        given: frozenset[Permission] | None = BUILT_IN_ROLES.get(role)
        assets: frozenset[str] | None = None
        if given is None and (role_row := self._row(role_row_id(role))) is not None:
            given = frozenset(Permission(value) for value in role_row["permissions"])
            quotas = quotas.within(Quotas.model_validate(role_row.get("quotas", {})))
            assets = frozenset(role_row["assets"]) if "assets" in role_row else None
        scope = frozenset(Permission(value) for value in row["permissions"]) if "permissions" in row else None
        held = given or frozenset()
        return Caller(
            user=str(row["user"]),
            role=role,
            permissions=held if scope is None else narrowed(held, scope),
            role_exists=given is not None,
            key_id=str(row["access_id"]).removeprefix("key#"),
            key_expires_at=datetime.fromtimestamp(int(row["expires_at"]), UTC) if "expires_at" in row else None,
            key_permissions=scope,
            session=Session.from_row(row),
            disabled=bool(row.get("disabled", False)),
            quotas=quotas,
            default_endpoint=row.get("default_endpoint") or None,
            trusted=frozenset(row.get("trusted", ())),
            assets=assets,
        )

    def _row(self, access_id: str) -> dict[str, Any] | None:
        item = self.client.get_item(TableName=self.table, Key=to_item({"access_id": access_id})).get("Item")
        return None if item is None else from_item(item)


def narrowed(held: frozenset[Permission], scope: frozenset[Permission]) -> frozenset[Permission]:
    """What both `held` and `scope` allow."""
    return frozenset(permission for permission in Permission if allows(held, permission) and allows(scope, permission))

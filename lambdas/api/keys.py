"""Routes for API keys."""

from datetime import timedelta

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreatedKey, CreateKey, KeyList, KeyView, RevokedKey
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.access.caller import CACHE_SECONDS
from lambdas.access.keys import NewKey
from lambdas.access.user_record import KeyRecord, UserRecord
from lambdas.api.rights import require_held, require_manageable, require_of_role
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()

LONGEST_LIFE = timedelta(days=3650)
"""For a key with an expiry date."""


class KeysQuery(Query):
    user: str | None = None


@ROUTES.add(
    "POST",
    "/v1/keys",
    status=201,
    problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND, ProblemCode.TOO_MANY_KEYS),
)
def create_key(call: UserCall, body: CreateKey) -> CreatedKey:
    """Create a 256-bit key for the caller or for a user the caller may change; only this answer shows it."""
    caller, services = call.caller, call.services
    name, now = body.user or caller.user, services.clock.now()
    if body.expires_at is not None and not now < body.expires_at < now + LONGEST_LIFE:
        message = f"received {body.expires_at.isoformat()}; allowed: a future time within {LONGEST_LIFE.days} days"
        raise invalid([FieldError(pointer="/expires_at", message=message)])
    latest = caller.lends_until(now)
    if latest and (body.expires_at is None or body.expires_at > latest):
        detail = f"This key cannot create a key that lasts longer than until {latest.isoformat()}."
        again = " Sign in again: a session does so in its first hour." if caller.session else ""
        raise ProblemError(ProblemCode.FORBIDDEN, detail + again)

    def check(user: UserRecord) -> None:
        if user.name != caller.user:
            require_manageable(call, user)
        role = services.roles.get(user.role)
        given = role.permissions if role else frozenset()
        require_held(caller, given if body.permissions is None else body.permissions, what="The requested key")
        require_of_role(user, role, body.permissions or ())

    new = NewKey(
        user=name,
        label=body.label,
        permissions=None if body.permissions is None else frozenset(body.permissions),
        expires_at=body.expires_at,
        created_by=caller.user,
        now=now,
    )
    key, secret = services.keys.add(new, made_with=caller.key_id, check=check)
    view = key_view(key)
    call.log_change("key.created", name, {"made": key.key_id, **body.model_dump(mode="json", exclude={"user"})})
    return CreatedKey(**view.model_dump(), key=secret)


@ROUTES.add("GET", "/v1/keys", problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND))
def list_keys(call: UserCall, query: KeysQuery) -> KeyList:
    """List keys and sessions, the caller's (a limited key: itself) or those of `user`, oldest first; no secrets."""
    caller, name = call.caller, query.user or call.caller.user
    if name != caller.user:
        caller.require(Permission.USER_LIST)
    keys = call.services.keys.of(name)
    if caller.key_permissions is not None and not caller.may(Permission.USER_LIST):
        keys = [key for key in keys if key.key_id == caller.key_id]
    return KeyList(keys=[key_view(key) for key in keys])


@ROUTES.add(
    "DELETE", "/v1/keys/{key_id}", problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND, ProblemCode.LAST_ADMIN)
)
def revoke_key(call: UserCall, key_id: str) -> RevokedKey:
    """Revoke a key with the sessions opened with it; it may work for up to a minute more. It cannot revoke itself."""
    caller, keys = call.caller, call.services.keys
    key = keys.get(key_id)
    if key is None or (key.user != caller.user and not caller.may(Permission.USER_CREATE)):
        raise ProblemError(ProblemCode.NOT_FOUND, f"No key {key_id[:100]!r} exists among those you may revoke.")
    if key_id in (caller.key_id, caller.root_key_id):
        detail = "A key cannot revoke itself: create another one first, so that you are not locked out."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)
    owner = call.services.users.require(key.user)
    if owner.name != caller.user:
        require_manageable(call, owner)
    role = call.services.roles.get(owner.role)
    given = role.permissions if role else frozenset()
    require_held(caller, given if key.permissions is None else key.permissions & given, what="The key to revoke")
    keys.remove(key)
    call.log_change("key.revoked", key.user, {"revoked": key_id, "label": key.label})
    return RevokedKey(key_id=key_id, effective_within_seconds=int(CACHE_SECONDS))


def key_view(key: KeyRecord) -> KeyView:
    """The key as its owner sees it."""
    return KeyView(
        key_id=key.key_id,
        user=key.user,
        label=key.label,
        permissions=None if key.permissions is None else sorted(key.permissions),
        created_at=key.created_at,
        created_by=key.created_by,
        expires_at=key.expires_at,
        session=key.session is not None,
    )

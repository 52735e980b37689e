"""Routes for API keys."""

from datetime import timedelta

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreatedKey, CreateKey, KeyList, KeyView, RevokedKey
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.access.caller import CACHE_SECONDS
from lambdas.access.user_record import KeyRecord, UserRecord
from lambdas.api.rights import require_held, require_manageable
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
    if caller.key_expires_at and (body.expires_at is None or body.expires_at > caller.key_expires_at):
        detail = f"This key expires at {caller.key_expires_at.isoformat()} and cannot create a key that lasts longer."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)

    def check(user: UserRecord) -> None:
        if user.name != caller.user:
            require_manageable(call, user)
        role = services.roles.get(user.role)
        given = role.permissions if role else frozenset()
        require_held(caller, given if body.permissions is None else body.permissions, what="The requested key")

    key, secret = services.users.add_key(
        name,
        label=body.label,
        permissions=None if body.permissions is None else frozenset(body.permissions),
        expires_at=body.expires_at,
        created_by=caller.user,
        now=now,
        check=check,
    )
    view = _view(key)
    call.log_change("key.created", name, {"made": key.key_id, **body.model_dump(mode="json", exclude={"user"})})
    return CreatedKey(**view.model_dump(), key=secret)


@ROUTES.add("GET", "/v1/keys", problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND))
def list_keys(call: UserCall, query: KeysQuery) -> KeyList:
    """List the caller's keys (a limited key: itself), or those of `user`, oldest first; never the keys themselves."""
    caller, name = call.caller, query.user or call.caller.user
    if name != caller.user:
        caller.require(Permission.USER_LIST)
    keys = call.services.users.keys(name)
    if caller.key_permissions is not None and not caller.may(Permission.USER_LIST):
        keys = [key for key in keys if key.key_id == caller.key_id]
    return KeyList(keys=[_view(key) for key in keys])


@ROUTES.add(
    "DELETE", "/v1/keys/{key_id}", problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND, ProblemCode.LAST_ADMIN)
)
def revoke_key(call: UserCall, key_id: str) -> RevokedKey:
    """Revoke a key; it may work for up to a minute more. A key cannot revoke itself: use another one."""
    caller, users = call.caller, call.services.users
    key = users.key(key_id)
    if key is None or (key.user != caller.user and not caller.may(Permission.USER_CREATE)):
        raise ProblemError(ProblemCode.NOT_FOUND, f"No key {key_id[:100]!r} exists among those you may revoke.")
    if key_id == caller.key_id:
        detail = "A key cannot revoke itself: create another one first, so that you are not locked out."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)
    owner = users.require(key.user)
    if owner.name != caller.user:
        require_manageable(call, owner)
    role = call.services.roles.get(owner.role)
    given = role.permissions if role else frozenset()
    require_held(caller, given if key.permissions is None else key.permissions & given, what="The key to revoke")
    users.remove_key(key)
    call.log_change("key.revoked", key.user, {"revoked": key_id, "label": key.label})
    return RevokedKey(key_id=key_id, effective_within_seconds=int(CACHE_SECONDS))


def _view(key: KeyRecord) -> KeyView:
    return KeyView(
        key_id=key.key_id,
        user=key.user,
        label=key.label,
        permissions=None if key.permissions is None else sorted(key.permissions),
        created_at=key.created_at,
        created_by=key.created_by,
        expires_at=key.expires_at,
    )

"""Routes for users and for the caller."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from generate_on_cloud.contract.access import Permission, Quotas
from generate_on_cloud.contract.accounts import (
    CreateUser,
    MeView,
    PatchMe,
    PatchUser,
    PutUser,
    QuotaUseView,
    Removed,
    UserPage,
    UserView,
)
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import Caller
from lambdas.access.roles import RoleRecord
from lambdas.access.user_record import UserRecord
from lambdas.api.rights import require_manageable, require_no_stronger, require_within
from lambdas.api.routes import Query, Routes, UserCall

ROUTES = Routes()


class UsersQuery(Query):
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = None


@ROUTES.add("GET", "/v1/me")
def get_me(call: UserCall) -> MeView:
    """Get the key's owner, what the key may do, and what is used and left of each quota."""
    uses = call.services.usage.uses(call.caller.user, call.caller.quotas, now=call.services.clock.now())
    views = [
        QuotaUseView(
            quota=use.quota, limit=use.limit, used=float(use.used), left=float(use.left), resets_at=use.resets_at
        )
        for use in uses
    ]
    return _me(call.caller).model_copy(update={"quota_use": views})


@ROUTES.add(
    "PATCH",
    "/v1/me",
    problems=(ProblemCode.ENDPOINT_NOT_IN_SERVICE, ProblemCode.NOT_FOUND),
    permission=Permission.INFERENCE_CREATE,
)
def patch_me(call: UserCall, body: PatchMe) -> MeView:
    """Choose the endpoint of jobs that name none (null: the least loaded), and users whose files may act on them."""
    caller, services = call.caller, call.services
    values: dict[str, Any] = {}
    if body.trusted is None or "default_endpoint" in body.model_fields_set:
        values["default_endpoint"] = _usable_default(call, body.default_endpoint, caller) or ""
    if body.trusted is not None:
        values["trusted"] = list(dict.fromkeys(body.trusted))
    services.users.prefer(caller.user, values)
    services.callers.forget_user(caller.user)
    call.log_change("user.changed", caller.user, values)
    endpoint = values.get("default_endpoint", caller.default_endpoint) or None
    return _me(replace(caller, default_endpoint=endpoint, trusted=frozenset(values.get("trusted", caller.trusted))))


def _me(caller: Caller) -> MeView:
    return MeView(
        user=caller.user,
        role=caller.role,
        permissions=sorted(caller.permissions),
        quotas=caller.quotas,
        key_id=caller.key_id or "",
        key_expires_at=caller.key_expires_at,
        default_endpoint=caller.default_endpoint,
        trusted=sorted(caller.trusted),
        session=caller.session is not None,
        assets=None if caller.assets is None else sorted(caller.assets),
    )


@ROUTES.add(
    "POST",
    "/v1/users",
    status=201,
    problems=(ProblemCode.NAME_TAKEN, ProblemCode.NOT_FOUND, ProblemCode.ENDPOINT_NOT_IN_SERVICE),
    permission=Permission.USER_CREATE,
)
def create_user(call: UserCall, body: CreateUser) -> UserView:
    """Create a user with a role; create keys with POST /v1/keys."""
    role = call.services.roles.require(body.role)
    require_no_stronger(call.caller, role)
    require_within(call.caller, body.quotas.within(role.quotas), what=f"The user {body.name!r}")
    user = UserRecord(
        name=body.name,
        role=body.role,
        created_at=call.services.clock.now(),
        created_by=call.caller.user,
        quotas=body.quotas,
        default_endpoint=_usable_default(call, body.default_endpoint, _caller_like(body.name, role)),
    )
    call.services.users.add(user)
    call.log_change("user.created", user.name, _shown(body))
    return _view(user)


@ROUTES.add("GET", "/v1/users", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.USER_LIST)
def list_users(call: UserCall, query: UsersQuery) -> UserPage:
    """List users by name."""
    users, next_cursor = call.services.users.page(
        limit=query.limit, cursor=query.cursor, signer=call.services.pages.signer
    )
    return UserPage(users=[_view(user) for user in users], next_cursor=next_cursor)


@ROUTES.add("GET", "/v1/users/{name}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.USER_LIST)
def get_user(call: UserCall, name: str) -> UserView:
    """One user."""
    return _view(call.services.users.require(name))


@ROUTES.add(
    "PUT",
    "/v1/users/{name}",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.LAST_ADMIN, ProblemCode.ENDPOINT_NOT_IN_SERVICE),
    permission=Permission.USER_CREATE,
)
def put_user(call: UserCall, name: str, body: PutUser) -> UserView:
    """Replace a user's role and quotas (those not given are taken away); their keys follow within a minute."""
    wanted: dict[str, Any] = {"role": body.role, "quotas": body.quotas}
    if "default_endpoint" in body.model_fields_set:
        wanted["default_endpoint"] = body.default_endpoint
    user = _changed(call, name, wanted, quotas_of=lambda _: body.quotas)
    call.log_change("user.changed", name, _shown(body))
    return _view(user)


@ROUTES.add(
    "PATCH",
    "/v1/users/{name}",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.LAST_ADMIN, ProblemCode.ENDPOINT_NOT_IN_SERVICE),
    permission=Permission.USER_CREATE,
)
def patch_user(call: UserCall, name: str, body: PatchUser) -> UserView:
    """Change a user's role, single quotas or default endpoint, disable or enable them; what is not given stays."""
    given = body.quotas.model_dump(exclude_unset=True) if body.quotas else {}
    sent = body.model_dump(include={"role", "disabled"}, exclude_none=True)
    if "default_endpoint" in body.model_fields_set:
        sent["default_endpoint"] = body.default_endpoint
    user = _changed(call, name, sent, quotas_of=lambda quotas: Quotas(**{**quotas.model_dump(), **given}))
    call.log_change("user.changed", name, {**sent, **({"quotas": given} if given else {})})
    return _view(user)


def _changed(
    call: UserCall, name: str, wanted: Mapping[str, Any], *, quotas_of: Callable[[Quotas], Quotas]
) -> UserRecord:
    """The user after the change, if the caller may change the user as it is to what it shall be."""
    services = call.services

    def changed(user: UserRecord) -> UserRecord:
        require_manageable(call, user)
        new = replace(user, **{**wanted, "quotas": quotas_of(user.quotas)})
        if (new.role, new.quotas) != (user.role, user.quotas):
            role = services.roles.require(new.role)
            require_no_stronger(call.caller, role)
            require_within(call.caller, new.quotas.within(role.quotas), what=f"The user {name!r}")
        if new.default_endpoint and "default_endpoint" in wanted:
            role = services.roles.require(new.role)
            default = _usable_default(call, new.default_endpoint, _caller_like(name, role))
            new = replace(new, default_endpoint=default)
        return new

    return services.users.change(name, changed)


@ROUTES.add(
    "DELETE",
    "/v1/users/{name}",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.LAST_ADMIN),
    permission=Permission.USER_CREATE,
)
def delete_user(call: UserCall, name: str) -> Removed:
    """Delete a user and their keys; jobs and model files stay, and the name is never used again."""
    call.services.users.remove(name, check=lambda user: require_manageable(call, user))
    call.log_change("user.deleted", name)
    return Removed(name=name)


def _caller_like(user: str, role: RoleRecord) -> Caller:
    """The user as a caller, to determine what they may use."""
    return Caller(user, role.name, permissions=frozenset(role.permissions))


def _usable_default(call: UserCall, endpoint: str | None, user: Caller) -> str | None:
    if endpoint is None:
        return None
    return call.services.chooser.require_usable(endpoint, caller=user, pointer="/default_endpoint")


def _shown(body: PutUser) -> dict[str, object]:
    shown: dict[str, object] = {"role": body.role, "quotas": body.quotas.model_dump(exclude_none=True)}
    if "default_endpoint" in body.model_fields_set:
        shown["default_endpoint"] = body.default_endpoint
    return shown


def _view(user: UserRecord) -> UserView:
    return UserView(
        name=user.name,
        role=user.role,
        quotas=user.quotas,
        created_at=user.created_at,
        created_by=user.created_by,
        keys=len(user.key_ids),
        default_endpoint=user.default_endpoint,
        disabled=user.disabled,
    )

"""Routes for sessions: sign in with a key or a one-time code, and out again."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreatedKey, RevokedKey
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.sessions import MAX_CODE_MINUTES, CreatedSessionCode, CreateSession, CreateSessionCode
from lambdas.access.caller import CACHE_SECONDS, Caller, narrowed, require_enabled
from lambdas.access.keys import NewKey
from lambdas.access.session_codes import SessionCode
from lambdas.access.user_record import Session
from lambdas.api.keys import key_view
from lambdas.api.rights import require_held, require_manageable, require_of_role
from lambdas.api.routes import AnyCall, Routes, UserCall
from lambdas.aws.rows import Action
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()

LIFE: Final = timedelta(hours=12)
KEPT_LIFE: Final = timedelta(days=30)
OWN_CODE_LIFE: Final = timedelta(seconds=60)
INVITATION_LIFE: Final = timedelta(minutes=MAX_CODE_MINUTES)


@dataclass(frozen=True, kw_only=True)
class _Ticket:
    """What a key or a code lets its holder open."""

    user: str
    permissions: frozenset[Permission] | None
    created_by: str
    made_with: str | None
    """The key that the session ends with."""
    expires_at: datetime | None
    """When the session ends at the latest."""
    keys_until: datetime | None
    guards: list[Action] = field(default_factory=list)
    refusals: dict[str, ProblemError] = field(default_factory=dict)


@ROUTES.add("POST", "/v1/sessions", status=201, problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND))
def create_session(call: AnyCall, body: CreateSession) -> CreatedKey:
    """Sign in with the key in the header or with a one-time code; the session's key is shown in this answer only."""
    now = call.services.clock.now()
    ticket = _ticket(call, body, now=now)
    ends = now + (KEPT_LIFE if body.keep else LIFE)
    new = NewKey(
        user=ticket.user,
        label=body.label,
        permissions=ticket.permissions,
        expires_at=min(ends, ticket.expires_at or ends),
        created_by=ticket.created_by,
        now=now,
    )
    session = Session(now, ticket.made_with, ticket.keys_until)
    key, secret = call.services.keys.add_session(new, session, guards=ticket.guards, refusals=ticket.refusals)
    view = key_view(key)
    caller = call.caller or Caller(key.user, role="", key_id=key.key_id)
    made = {"made": key.key_id, "by_code": body.code is not None, **body.model_dump(mode="json", exclude={"code"})}
    call.of(caller).log_change("session.created", key.user, made)
    return CreatedKey(**view.model_dump(), key=secret)


@ROUTES.add("POST", "/v1/sessions/codes", status=201, problems=(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND))
def create_session_code(call: UserCall, body: CreateSessionCode) -> CreatedSessionCode:
    """Create a one-time code that signs the caller in, or another user whom the caller may change."""
    caller, services, now = call.caller, call.services, call.services.clock.now()
    name = body.user or caller.user
    invites = name != caller.user
    if invites:
        _require_may_invite(call, name, body, now=now)
    code = SessionCode(
        user=name,
        permissions=_asked(body.permissions) if invites else _limited(caller, body.permissions),
        expires_at=now + _code_life(body, invites=invites),
        ends=caller.lends_until(now) if invites else caller.key_expires_at,
        keys_until=caller.lends_until(now),
        created_by=caller.user,
        made_with=caller.root_key_id or "",
    )
    text = services.session_codes.add(code)
    call.log_change("session.code_created", name, {"expires_at": code.expires_at, "permissions": body.permissions})
    return CreatedSessionCode(code=text, user=name, expires_at=code.expires_at)


@ROUTES.add("DELETE", "/v1/sessions/current", problems=(ProblemCode.NOT_FOUND,))
def end_session(call: UserCall) -> RevokedKey:
    """Sign out: the only way in which a key revokes itself; it may work for up to a minute more."""
    caller, services = call.caller, call.services
    key = services.keys.get(caller.key_id or "")
    if caller.session is None or key is None:
        detail = "This key is not a session's; revoke it with another key: DELETE /v1/keys/{key_id}."
        raise ProblemError(ProblemCode.NOT_FOUND, detail)
    services.keys.remove(key)
    services.callers.forget_user(caller.user)
    call.log_change("session.ended", caller.user, {"label": key.label})
    return RevokedKey(key_id=key.key_id, effective_within_seconds=int(CACHE_SECONDS))


def _ticket(call: AnyCall, body: CreateSession, *, now: datetime) -> _Ticket:
    if call.caller is not None and body.code is not None:
        message = "received a code and a key in the header; allowed: one of them"
        raise invalid([FieldError(pointer="/code", message=message)])
    if call.caller is not None:
        return _ticket_of_key(call, call.caller, body, now=now)
    if body.code is not None:
        return _ticket_of_code(call, body.code, body, now=now)
    detail = "Send a valid API key in the x-api-key header, or a one-time code in the body."
    raise ProblemError(ProblemCode.UNAUTHORIZED, detail)


def _ticket_of_key(call: AnyCall, caller: Caller, body: CreateSession, *, now: datetime) -> _Ticket:
    guards, refusals = call.services.keys.maker_there(caller.key_id)
    return _Ticket(
        user=caller.user,
        permissions=_limited(caller, body.permissions),
        created_by=caller.user,
        made_with=caller.root_key_id,
        expires_at=caller.key_expires_at,
        keys_until=caller.lends_until(now),
        guards=guards,
        refusals=refusals,
    )


def _ticket_of_code(call: AnyCall, text: str, body: CreateSession, *, now: datetime) -> _Ticket:
    services = call.services
    code = services.session_codes.read(text, now=now)
    user = services.users.require(code.user)
    require_enabled(user.name, disabled=user.disabled)
    role = services.roles.get(user.role)
    granted = role.permissions if role else frozenset()
    held = granted if code.permissions is None else narrowed(granted, code.permissions)
    holder = Caller(code.user, role.name if role else "", held, key_permissions=code.permissions)
    guards, refusals = services.session_codes.use(text, code)
    return _Ticket(
        user=code.user,
        permissions=_limited(holder, body.permissions),
        created_by=code.created_by,
        made_with=code.made_with if code.created_by == code.user else None,
        expires_at=code.ends,
        keys_until=code.keys_until,
        guards=guards,
        refusals=refusals,
    )


def _limited(caller: Caller, asked: list[Permission] | None) -> frozenset[Permission] | None:
    """What a session is limited to that the caller opens; never more than the caller's own key.

    Raises:
        ProblemError: `forbidden`.
    """
    if asked is None:
        return caller.key_permissions
    require_held(caller, asked, what="The requested session")
    return frozenset(asked)


def _code_life(body: CreateSessionCode, *, invites: bool) -> timedelta:
    if body.minutes is not None:
        return timedelta(minutes=body.minutes)
    return INVITATION_LIFE if invites else OWN_CODE_LIFE


def _asked(permissions: list[Permission] | None) -> frozenset[Permission] | None:
    return None if permissions is None else frozenset(permissions)


def _require_may_invite(call: UserCall, name: str, body: CreateSessionCode, *, now: datetime) -> None:
    """Check that the caller may sign this user in.

    Raises:
        ProblemError: `not_found`, or `forbidden`.
    """
    user = call.services.users.require(name)
    require_manageable(call, user)
    require_held(call.caller, body.permissions or (), what="The requested session")
    require_of_role(user, call.services.roles.get(user.role), body.permissions or ())
    if call.caller.session is not None and not call.caller.session.is_young(now):
        detail = "Your session is more than an hour old and cannot invite anybody; sign in again."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)

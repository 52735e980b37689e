"""Nobody gives or takes rights they do not have: checks shared by the routes of users, roles and keys."""

from collections.abc import Iterable, Mapping

from generate_on_cloud.contract.access import Permission, not_held
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import Caller
from lambdas.access.user_record import UserRecord
from lambdas.api.routes import UserCall
from lambdas.audit import record_change
from lambdas.problems import ProblemError


def require_held(caller: Caller, wanted: Iterable[Permission], *, what: str) -> None:
    """Go on only if the caller's key holds all of `wanted`.

    Raises:
        ProblemError: `forbidden`, naming what is missing.
    """
    missing = not_held(caller.permissions, wanted)
    if missing:
        detail = f"{what} has permissions this key does not have: {', '.join(missing)}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)


def require_manageable(call: UserCall, user: UserRecord) -> None:
    """Go on only if the caller may change this user and their keys: made by the caller, or `user:all`; no stronger one.

    Raises:
        ProblemError: `forbidden`.
    """
    caller = call.caller
    if user.created_by != caller.user or not caller.may(Permission.USER_CREATE):
        caller.require(Permission.USER_ALL)
    role = call.services.roles.get(user.role)
    require_held(caller, role.permissions if role else (), what=f"The user {user.name!r}")


def log_change(call: UserCall, action: str, target: str, details: Mapping[str, object] | None = None) -> None:
    """One line in the audit log."""
    record_change(action, by=call.caller.user, key_id=call.caller.key_id, target=target, details=details or {})

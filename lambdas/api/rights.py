"""What a caller may see and grant: checks shared by the routes for jobs, users, roles and keys."""

from collections.abc import Iterable

from generate_on_cloud.contract.access import Permission, Quotas, not_held
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.access.caller import Caller
from lambdas.access.roles import RoleRecord
from lambdas.access.user_record import UserRecord
from lambdas.api.routes import UserCall
from lambdas.aws.rows import is_id
from lambdas.jobs.record import JobRecord
from lambdas.problems import ProblemError, invalid


def visible_job(call: UserCall, job_id: str) -> JobRecord:
    """The job, if the caller may see it; other users' jobs look as if they did not exist.

    Raises:
        ProblemError: `not_found`.
    """
    return require_visible(call, call.services.jobs.get(job_id) if is_id(job_id) else None, job_id)


def require_visible(call: UserCall, job: JobRecord | None, job_id: str) -> JobRecord:
    """The job that was already read, under the same rule as `visible_job`."""
    if job is None or not call.caller.may_see(job.owner):
        raise no_job(job_id)
    return job


def no_job(job_id: str) -> ProblemError:
    return ProblemError(ProblemCode.NOT_FOUND, f"The job {job_id[:100]!r} does not exist.")


def require_held(caller: Caller, wanted: Iterable[Permission], *, what: str) -> None:
    """Check that the caller's key has every permission in `wanted`.

    Raises:
        ProblemError: `forbidden`; it names the missing permissions.
    """
    missing = not_held(caller.permissions, wanted)
    if missing:
        detail = f"{what} has permissions that your key does not have: {', '.join(missing)}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)


def require_no_stronger(caller: Caller, role: RoleRecord, *, what: str | None = None) -> None:
    """Check that the caller has every permission of the role and, if limited to listed files, lists all of its files.

    Raises:
        ProblemError: `forbidden`; it names what is missing.
    """
    what = what or f"The role {role.name!r}"
    require_held(caller, role.permissions, what=what)
    if caller.assets is None:
        return
    if role.assets is None:
        detail = f"{what} may use every model file, and your own role {caller.role!r} only those it lists."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)
    if more := sorted(role.assets - caller.assets):
        detail = f"{what} may use model files that your own role {caller.role!r} does not list: {', '.join(more)}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)


def require_of_role(user: UserRecord, role: RoleRecord | None, wanted: Iterable[Permission]) -> None:
    """Check that the user's role has every permission in `wanted`: a key with more would do less than it says.

    Raises:
        ProblemError: `invalid_params`; it names the permissions that the role lacks.
    """
    given = role.permissions if role else frozenset()
    if lacking := not_held(given, wanted):
        message = (
            f"received {', '.join(lacking)}, which the role {user.role!r} of {user.name!r} does not have; "
            f"allowed: {', '.join(sorted(given)) or 'none'}"
        )
        raise invalid([FieldError(pointer="/permissions", message=message)])


def require_within(caller: Caller, quotas: Quotas, *, what: str) -> None:
    """Check that these effective quotas allow no more than the caller's own do.

    Raises:
        ProblemError: `forbidden`; it names the quotas.
    """
    given = quotas.model_dump(exclude_none=True)
    own = caller.quotas.model_dump(exclude_none=True)
    more = [f"{name}: {limit}" for name, limit in own.items() if given.get(name, limit + 1) > limit]
    if more:
        detail = f"{what} may use more than your own quotas allow; allowed: up to {', '.join(more)}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)


def require_manageable(call: UserCall, user: UserRecord) -> None:
    """Check that the caller may change this user and their keys: created by the caller, or `user:all`, and no stronger.

    Raises:
        ProblemError: `forbidden`.
    """
    caller = call.caller
    if user.created_by != caller.user or not caller.may(Permission.USER_CREATE):
        caller.require(Permission.USER_ALL)
    role = call.services.roles.get(user.role)
    if role is None:
        return
    require_no_stronger(caller, role, what=f"The user {user.name!r}")
    if user.name != caller.user:
        require_within(caller, user.quotas.within(role.quotas), what=f"The user {user.name!r}")

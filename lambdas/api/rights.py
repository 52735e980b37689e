"""What a caller may see and grant: checks shared by the routes for jobs, users, roles and keys."""

from collections.abc import Iterable

from generate_on_cloud.contract.access import Permission, Quotas, not_held
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import Caller
from lambdas.access.user_record import UserRecord
from lambdas.api.routes import UserCall
from lambdas.aws.rows import is_id
from lambdas.jobs.record import JobRecord
from lambdas.problems import ProblemError


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
    require_held(caller, role.permissions if role else (), what=f"The user {user.name!r}")
    if role is not None and user.name != caller.user:
        require_within(caller, user.quotas.within(role.quotas), what=f"The user {user.name!r}")

"""Routes for roles."""

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreateRole, PutRole, Removed, RolePage, RoleView
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.roles import RoleRecord
from lambdas.access.table import overtaken
from lambdas.api.rights import require_held, require_within
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.problems import ProblemError

ROUTES = Routes()


class RolesQuery(Query):
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = None


@ROUTES.add("POST", "/v1/roles", status=201, problems=(ProblemCode.NAME_TAKEN,), permission=Permission.ROLE_CREATE)
def create_role(call: UserCall, body: CreateRole) -> RoleView:
    """Create a role; it can only have permissions that the caller has."""
    require_held(call.caller, body.permissions, what=f"The role {body.name!r}")
    require_within(call.caller, body.quotas, what=f"The role {body.name!r}")
    role = RoleRecord(
        name=body.name,
        permissions=frozenset(body.permissions),
        quotas=body.quotas,
        created_at=call.services.clock.now(),
        created_by=call.caller.user,
    )
    call.services.roles.add(role, now=role.created_at or call.services.clock.now())
    call.log_change("role.created", role.name, _shown(body))
    return _view(role)


@ROUTES.add("GET", "/v1/roles", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.ROLE_LIST)
def list_roles(call: UserCall, query: RolesQuery) -> RolePage:
    """List roles by name, the built-in ones first (these do not count towards `limit`)."""
    roles, next_cursor = call.services.roles.page(
        limit=query.limit, cursor=query.cursor, signer=call.services.pages.signer
    )
    return RolePage(roles=[_view(role) for role in roles], next_cursor=next_cursor)


@ROUTES.add("GET", "/v1/roles/{name}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.ROLE_LIST)
def get_role(call: UserCall, name: str) -> RoleView:
    """One role."""
    return _view(call.services.roles.require(name))


@ROUTES.add("PUT", "/v1/roles/{name}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.ROLE_CREATE)
def put_role(call: UserCall, name: str, body: PutRole) -> RoleView:
    """Replace a role's permissions and quotas; its users' keys follow within a minute."""
    role = _changeable(call, name)
    require_held(call.caller, body.permissions, what=f"The role {name!r}")
    require_within(call.caller, body.quotas, what=f"The role {name!r}")
    if not call.services.roles.change(role, permissions=frozenset(body.permissions), quotas=body.quotas):
        raise overtaken()
    call.log_change("role.changed", name, _shown(body))
    return _view(call.services.roles.require(name))


@ROUTES.add(
    "DELETE",
    "/v1/roles/{name}",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.ROLE_IN_USE),
    permission=Permission.ROLE_CREATE,
)
def delete_role(call: UserCall, name: str) -> Removed:
    """Delete a role that no user has."""
    call.services.roles.remove(_changeable(call, name))
    call.log_change("role.deleted", name)
    return Removed(name=name)


def _changeable(call: UserCall, name: str) -> RoleRecord:
    """The role, if the caller may change it: their own or any with `role:all`, not built in and no stronger."""
    role = call.services.roles.require(name)
    if role.built_in:
        raise ProblemError(ProblemCode.FORBIDDEN, f"The role {name!r} is built in and cannot be changed.")
    if role.created_by != call.caller.user:
        call.caller.require(Permission.ROLE_ALL)
    require_held(call.caller, role.permissions, what=f"The role {name!r}")
    return role


def _shown(body: PutRole) -> dict[str, object]:
    return {"permissions": sorted(body.permissions), "quotas": body.quotas.model_dump(exclude_none=True)}


def _view(role: RoleRecord) -> RoleView:
    return RoleView(
        name=role.name,
        permissions=sorted(role.permissions),
        quotas=role.quotas,
        built_in=role.built_in,
        created_at=role.created_at,
        created_by=role.created_by,
    )
